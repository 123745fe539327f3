/**
 * The laws every handler keeps, as data: for whoever writes a handler of their own, and for `aura doctor`.
 *
 * A law is a name and a check. Any test runner can run the lists; none is imported here.
 */

/** What a law is, and how it reports that it was broken. */
export { LawBroken, type Law } from "./conformance/Law.ts"

/** Laws of journal stores. */
export { fullJournalLaws, JournalPlace, journalPlaceLaws, journalStoreLaws } from "./conformance/JournalStoreLaws.ts"

/** Laws of storages, of what they do where things fail, and of two who open the same place. */
export { storageFullLaws, storageLaws } from "./conformance/StorageLaws.ts"
export { storageCrashLaws, storageNoRoomLaws, type FaultyStore } from "./conformance/StorageFaultLaws.ts"
export { storageOpenerLaws, type StoragePlace } from "./conformance/StorageOpenerLaws.ts"

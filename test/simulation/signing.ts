/** What worlds in tests sign and verify with: node:crypto, as the command line does. */
export { keyring, verifier } from "../../src/cli/WorldKeys.ts"

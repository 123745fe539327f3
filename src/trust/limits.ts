/** How large authority facts and definitions may be. Part of the format: raising one needs a new type of fact. */

/** Rights in one grant. */
export const grantRightsMax = 64

/** How often a right may be passed on. */
export const grantDepthMax = 16

/** Feeds that one cut can name. */
export const cutPositionsMax = 512

/** UTF-16 code units of a device's name. */
export const deviceNameCharactersMax = 64

/** UTF-16 code units of a reason. */
export const reasonCharactersMax = 256

/** Bytes of an application's definition. */
export const definitionBytesMax = 64 * 1024

/** Operations of one application. */
export const definitionOperationsMax = 256

/** State fields of one application. */
export const definitionFieldsMax = 128

/** Writes-paths of one operation, and capabilities of one policy. */
export const operationPathsMax = 32

/** Hours that one right may be limited to. */
export const rightHoursMax = 4

/** Demands in one policy. */
export const policyBranchesMax = 64

/** How deep `all` and `any` may stand in each other. */
export const policyDepthMax = 5

/** Capabilities in one ceiling. */
export const ceilingCapabilitiesMax = 64

/** UTF-16 code units of what is attested. */
export const claimCharactersMax = 128

/** Roles of one application. */
export const definitionRolesMax = 32

/** What one operation may cost, and any flow limit, in units (trust/Budget.ts). */
export const costMax = 2 ** 32

/** Devices that one flow budget gives leases to. */
export const budgetLeasesMax = 1024

/** Reports of independent reporters from which on they lower the one reported. */
export const reportsMin = 3

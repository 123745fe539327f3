/**
 * `GET /api/v1/decisions?operation=…&device=…&resource=…`: may a device do that, asked by a device with its signature.
 *
 * This device is told about every other, with the whole evidence (cli/Reasons.ts). Another one is told about itself, in
 * words that name no third party; to ask about others is refused, whether they exist or not. An answer says how things
 * stand now and is no permission: what is performed is judged again.
 */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { DeviceId } from "../../identity/Id.ts"
import * as Clock from "../../journal/Clock.ts"
import * as Metrics from "../../observability/Metrics.ts"
import * as AccessControl from "../../runtime/AccessControl.ts"
import { isCapability } from "../../trust/Capability.ts"
import * as Wording from "../../trust/Wording.ts"
import * as Person from "../Person.ts"
import * as Reasons from "../Reasons.ts"
import { operationCharactersMax } from "./OperationRequest.ts"
import * as Reply from "./Reply.ts"
import { definitionOf, type Site } from "./Site.ts"

/** `asker` was proved and is a member. `query` = what stands behind the question mark. */
export const answer = Effect.fn("Decisions.answer")(function* (site: Site, asker: DeviceId, query: string) {
  const wanted = read(query, asker)
  if (Result.isFailure(wanted)) return Reply.problem({ status: 400, code: "RequestInvalid", detail: wanted.failure })
  const { device, operation, resource } = wanted.success
  const isOwn = asker === site.agent.device
  if (!isOwn && device !== asker) {
    yield* Metrics.refused("http_decision")
    const detail = "a device may ask about itself"
    return Reply.problem({ status: 403, code: "DecisionOfOthers", detail })
  }
  const definition = definitionOf(site)
  const { authority, latest } = site.replica.ledger()
  if (definition === undefined || authority === undefined) {
    const detail = "this device does not know yet what the space holds"
    return Reply.problem({ status: 503, code: "DefinitionMissing", detail, headers: { "retry-after": "1" } })
  }
  const type = operation.startsWith(`${definition.app}.`) ? operation : `${definition.app}.${operation}`
  const now = Clock.next(latest, site.time.now().millis)
  const checked = AccessControl.check({ authority }, definition, { device, operation: type, resource }, now)
  if (isOwn) {
    const source = { authority, definition, names: Person.namesOf(authority) }
    return Reply.json({ ok: true, ...Reasons.of(source, checked) })
  }
  return Reply.json({ ok: true, ...forPeer(checked) })
})

/** What may be told to the device that asks about itself: kind and words of a refusal, and the digest it can compare. */
const forPeer = ({ decision, device, operation, resource, snapshot, time }: AccessControl.Checked) => ({
  device,
  operation,
  resource: resource ?? null,
  atMillis: Clock.toMillis(time),
  snapshot,
  decision: decision._tag,
  refusal: decision._tag === "Denied" ? { kind: decision.because._tag, text: Wording.refusal(decision) } : null
})

interface Wanted {
  readonly device: DeviceId
  readonly operation: string
  readonly resource: string | undefined
}

const known = ["operation", "device", "resource"]

const read = (query: string, asker: DeviceId): Result.Result<Wanted, string> => {
  const parameters = new URLSearchParams(query)
  const foreign = [...parameters.keys()].find((name) => !known.includes(name) || parameters.getAll(name).length > 1)
  if (foreign !== undefined) return Result.fail(`the query takes ${known.join(", ")}, each once`)
  const operation = parameters.get("operation") ?? ""
  if (operation === "" || operation.length > operationCharactersMax)
    return Result.fail(`operation has 1 to ${operationCharactersMax} characters`)
  const device = Schema.decodeUnknownResult(DeviceId)(parameters.get("device") ?? asker)
  if (Result.isFailure(device)) return Result.fail("device is no DeviceId: 64 lower-case hexadecimal digits")
  const resource = parameters.get("resource") ?? undefined
  if (resource !== undefined && !isCapability(`a/${resource}`))
    return Result.fail("resource is segments joined by /, the last may be *")
  return Result.succeed({ device: device.success, operation, resource })
}

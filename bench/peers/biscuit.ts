/**
 * Biscuit's token of four blocks: a right, and three attenuations of it. Authorising it is compared with a decision.
 *
 * Datalog is parsed once and its facts, checks and policies are kept; an authorizer is good for one decision and is made
 * for each, with one fact of its own. The library stops after a millisecond unless it is told other limits.
 */
import {
  AuthorizerBuilder,
  Biscuit,
  biscuit,
  block,
  Check,
  Fact,
  KeyPair,
  Policy,
  SignatureAlgorithm
} from "@biscuit-auth/biscuit-wasm"

/** How many different requests are asked in turn. */
const requestsCount = 64
const limits = { max_time_micro: 1_000_000 }

const keys = new KeyPair(SignatureAlgorithm.Ed25519)
const now = "2026-06-01T00:00:00Z"

const make = (): Biscuit =>
  [
    block`check if operation("task:write")`,
    block`check if resource($resource), $resource.starts_with("tasks/")`,
    block`check if time($time), $time <= 2030-01-01T00:00:00Z`
  ].reduce(
    (token, attenuation) => token.appendBlock(attenuation),
    biscuit`right("task:write")`.build(keys.getPrivateKey())
  )

const requests = () => {
  const facts = [Fact.fromString(`operation("task:write")`), Fact.fromString(`time(${now})`)]
  const check = Check.fromString(`check if operation($operation), resource($resource)`)
  const policy = Policy.fromString(`allow if operation($operation), right($operation)`)
  const resources = Array.from({ length: requestsCount }, (_, number) =>
    Fact.fromString(`resource("tasks/t${number}")`)
  )
  let next = 0
  return (): AuthorizerBuilder => {
    const builder = new AuthorizerBuilder()
    for (const fact of facts) builder.addFact(fact)
    builder.addFact(resources[next++ % requestsCount]!)
    builder.addCheck(check)
    builder.addPolicy(policy)
    return builder
  }
}

/** Throws unless the token allows it. */
const authorise = (token: Biscuit, request: AuthorizerBuilder): void => {
  const authorizer = request.buildAuthenticated(token)
  authorizer.authorizeWithLimits(limits)
  authorizer.free()
}

/** Authorises a token that was parsed and verified before, forever. */
export const decider = (): (() => void) => {
  const token = make()
  const next = requests()
  return () => authorise(token, next())
}

/** From the token's bytes: parsed, its four signatures verified, authorised. */
export const receiver = (): (() => void) => {
  const bytes = make().toBytes()
  const key = keys.getPublicKey()
  const next = requests()
  return () => {
    const token = Biscuit.fromBytes(bytes, key)
    authorise(token, next())
    token.free()
  }
}

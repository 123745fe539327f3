/**
 * Alice dials Bob; Mallory sits on the wire between them.
 *
 *     Alice ── 1 ──▶ Mallory ──▶ Bob
 *           ◀─ 2 ──          ◀──
 *           ── 3 ──▶         ──▶        then sealed frames both ways
 */
import { createPrivateKey, createPublicKey, randomBytes, sign } from "node:crypto"
import * as fc from "fast-check"
import * as Redacted from "effect/Redacted"
import { assert, describe, it } from "vitest"
import { frameBytesMax } from "../../src/effects/Network.ts"
import { nodeSuite } from "../../src/handlers/node/NodeSuite.ts"
import * as DeviceChannel from "../../src/identity/DeviceChannel.ts"
import { deviceId, toBytes, type DeviceId } from "../../src/identity/Id.ts"
import * as Noise from "../../src/identity/Noise.ts"
import * as SealedFrames from "../../src/identity/SealedFrames.ts"
import * as Signature from "../../src/identity/Signature.ts"

import recorded from "../vectors/device-channel.json" with { type: "json" }

interface Person {
  readonly device: DeviceId
  readonly sign: (message: Uint8Array) => Uint8Array
}

const person = (seed: number): Person => {
  const prefix = Buffer.from("302e020100300506032b657004220420", "hex")
  const key = createPrivateKey({ key: Buffer.concat([prefix, Buffer.alloc(32, seed)]), format: "der", type: "pkcs8" })
  const publicKey = createPublicKey(key).export({ format: "der", type: "spki" }).subarray(-32)
  return { device: deviceId(publicKey), sign: (message) => Uint8Array.from(sign(null, message, key)) }
}

const [alice, bob, mallory] = [person(1), person(2), person(3)]

const freshPair = () => Noise.keyPair(nodeSuite, Redacted.make(Uint8Array.from(randomBytes(32))))

const options = (
  who: { readonly device: DeviceId },
  initiator: boolean,
  more: Partial<DeviceChannel.Options> = {}
): DeviceChannel.Options => ({
  suite: nodeSuite,
  initiator,
  device: who.device,
  static: freshPair(),
  ephemeral: freshPair(),
  versions: [1],
  ...more
})

const verify = ({ message, signature, signer }: DeviceChannel.Claim) =>
  Signature.verify(toBytes(signer), message, signature)

/** Answers what the machine asks of its own side, until it needs a message or has ended. */
const settle = (
  who: Person,
  from: DeviceChannel.Step
): { readonly step: DeviceChannel.Step; readonly sent: Array<Uint8Array> } => {
  const sent: Array<Uint8Array> = []
  let step = from
  for (;;) {
    if (step.send !== undefined) sent.push(step.send)
    if (step.need._tag === "Sign") step = DeviceChannel.signed(step.channel, who.sign(step.need.message))
    else if (step.need._tag === "Verify") step = DeviceChannel.verified(step.channel, verify(step.need.claim))
    else return { step, sent }
  }
}

type Tamper = (message: Uint8Array, index: number) => Uint8Array
const untouched: Tamper = (message) => message

/** The whole handshake with somebody on the wire, until it ends or nobody says anything more. */
const shake = (
  ours: { readonly who: Person; readonly options: DeviceChannel.Options },
  theirs: { readonly who: Person; readonly options: DeviceChannel.Options },
  tamper: Tamper = untouched
) => {
  const wire: Array<Uint8Array> = []
  let initiator = settle(ours.who, DeviceChannel.start(ours.options))
  let responder = settle(theirs.who, DeviceChannel.start(theirs.options))
  for (let index = 0; index < 3; index++) {
    const fromInitiator = index % 2 === 0
    const message = (fromInitiator ? initiator : responder).sent[0]
    if (message === undefined) break
    wire.push(message)
    const target = fromInitiator ? responder : initiator
    if (target.step.need._tag !== "Message") break
    const after = settle(
      fromInitiator ? theirs.who : ours.who,
      DeviceChannel.receive(target.step.channel, tamper(message, index))
    )
    if (fromInitiator) responder = after
    else initiator = after
  }
  return { initiator: initiator.step.need, responder: responder.step.need, wire }
}

const meeting = (tamper?: Tamper) =>
  shake({ who: alice, options: options(alice, true) }, { who: bob, options: options(bob, false) }, tamper)

const sessionOf = (need: DeviceChannel.Need): DeviceChannel.Session => {
  if (need._tag !== "Open") throw new Error(`not open: ${JSON.stringify(need)}`)
  return need.session
}

const becauseOf = (need: DeviceChannel.Need) => (need._tag === "Refused" ? need.refusal.because : need._tag)

const flip = (bytes: Uint8Array, at: number): Uint8Array => {
  const copy = Uint8Array.from(bytes)
  copy[at]! ^= 1 << (at % 8)
  return copy
}

describe("an undisturbed handshake", () => {
  it("opens at both ends with the device of the other and one secret channel key", () => {
    const { initiator, responder } = meeting()
    const [ours, theirs] = [sessionOf(initiator), sessionOf(responder)]
    assert.deepStrictEqual([ours.peer, theirs.peer], [bob.device, alice.device])
    assert.deepStrictEqual(ours.channelKey, theirs.channelKey)
    assert.lengthOf(ours.channelKey, 32)
    assert.notDeepEqual(ours.channelKey, sessionOf(meeting().initiator).channelKey)
  })

  it("tells each side the other's version list", () => {
    const { initiator, responder } = shake(
      { who: alice, options: options(alice, true, { versions: [1, 2, 9] }) },
      { who: bob, options: options(bob, false, { versions: [2] }) }
    )
    assert.deepStrictEqual(sessionOf(initiator).peerVersions, [2])
    assert.deepStrictEqual(sessionOf(responder).peerVersions, [1, 2, 9])
  })

  it("shows no device on the wire and stays within its limits", () => {
    const { wire } = meeting()
    const seen = Buffer.concat(wire).toString("hex")
    for (const { device } of [alice, bob]) assert.notInclude(seen, device)
    const most = Array.from({ length: DeviceChannel.versionsMax }, (_, index) => index)
    const { wire: largest } = shake(
      { who: alice, options: options(alice, true, { versions: most, exported: new Uint8Array(32) }) },
      { who: bob, options: options(bob, false, { versions: most, exported: new Uint8Array(32) }) }
    )
    assert.deepStrictEqual(
      largest.map(({ length }) => length),
      [42, 235, 194]
    )
    for (const { length } of largest) assert.isAtMost(length, DeviceChannel.handshakeBytesMax)
  })

  it("carries the frames of the contract", () => assert.strictEqual(SealedFrames.bodyBytesMax, frameBytesMax))

  it("is not begun with a version list out of order, empty or too long", () => {
    for (const versions of [[], [2, 1], [1, 1], [256], [-1], [1.5], Array.from({ length: 9 }, (_, index) => index)]) {
      assert.throws(() => DeviceChannel.start(options(alice, true, { versions })), RangeError)
    }
  })
})

describe("somebody else at the other end", () => {
  it("is refused by an initiator that expects another device, before it says anything about itself", () => {
    const { initiator, responder, wire } = shake(
      { who: alice, options: options(alice, true, { isExpected: (device) => device === mallory.device }) },
      { who: bob, options: options(bob, false) }
    )
    assert.deepInclude(initiator, { _tag: "Refused" })
    assert.strictEqual(becauseOf(initiator), "OtherDevice")
    assert.strictEqual(initiator._tag === "Refused" ? initiator.refusal.found : undefined, bob.device)
    assert.strictEqual(responder._tag, "Message")
    assert.lengthOf(wire, 2)
  })

  it("is refused when it names a device whose key it does not have", () => {
    const asBob = { device: bob.device, sign: mallory.sign }
    const { initiator, wire } = shake(
      { who: alice, options: options(alice, true, { isExpected: (device) => device === bob.device }) },
      { who: asBob, options: options(asBob, false) }
    )
    assert.strictEqual(becauseOf(initiator), "BadSignature")
    assert.lengthOf(wire, 2)
    const asAlice = { device: alice.device, sign: mallory.sign }
    const inbound = shake({ who: asAlice, options: options(asAlice, true) }, { who: bob, options: options(bob, false) })
    assert.strictEqual(becauseOf(inbound.responder), "BadSignature")
  })

  it("can't relay a signature from a handshake of its own with the real device", () => {
    let relayed: Uint8Array | undefined
    // Mallory dials Bob and keeps the signature by which Bob proves himself to her.
    const asked = settle(mallory, DeviceChannel.start(options(mallory, true)))
    const answer = settle(bob, DeviceChannel.receive(DeviceChannel.start(options(bob, false)).channel, asked.sent[0]!))
    const heard = DeviceChannel.receive(asked.step.channel, answer.sent[0]!)
    if (heard.need._tag === "Verify") relayed = heard.need.claim.signature
    assert.isDefined(relayed)
    // Then she answers Alice with it.
    const asBob = { device: bob.device, sign: () => relayed! }
    const { initiator } = shake(
      { who: alice, options: options(alice, true, { isExpected: (device) => device === bob.device }) },
      { who: asBob, options: options(asBob, false) }
    )
    assert.strictEqual(becauseOf(initiator), "BadSignature")
  })

  it("can't relay the initiator's signature to another responder", () => {
    // Alice dials Mallory; Mallory dials Bob as Alice, with what Alice signed for her.
    let signature: Uint8Array | undefined
    const listening = settle(mallory, DeviceChannel.start(options(mallory, false)))
    const dialling = settle(alice, DeviceChannel.start(options(alice, true)))
    const second = settle(mallory, DeviceChannel.receive(listening.step.channel, dialling.sent[0]!))
    const third = settle(alice, DeviceChannel.receive(dialling.step.channel, second.sent[0]!))
    const heard = DeviceChannel.receive(second.step.channel, third.sent[0]!)
    if (heard.need._tag === "Verify") signature = heard.need.claim.signature
    assert.isDefined(signature)
    const asAlice = { device: alice.device, sign: () => signature! }
    const { responder } = shake(
      { who: asAlice, options: options(asAlice, true) },
      { who: bob, options: options(bob, false) }
    )
    assert.strictEqual(becauseOf(responder), "BadSignature")
  })

  it("is refused when it is this device itself", () => {
    const { initiator } = shake({ who: bob, options: options(bob, true) }, { who: bob, options: options(bob, false) })
    assert.strictEqual(becauseOf(initiator), "SameDevice")
  })

  it("gets nowhere by sending a side's own messages back to it", () => {
    const dialling = settle(alice, DeviceChannel.start(options(alice, true)))
    assert.strictEqual(becauseOf(DeviceChannel.receive(dialling.step.channel, dialling.sent[0]!).need), "NotAuthentic")
    const answering = settle(
      bob,
      DeviceChannel.receive(DeviceChannel.start(options(bob, false)).channel, dialling.sent[0]!)
    )
    assert.strictEqual(
      becauseOf(DeviceChannel.receive(answering.step.channel, answering.sent[0]!).need),
      "NotAuthentic"
    )
  })

  it("gets nowhere by replaying a whole handshake it recorded", () => {
    const { wire } = meeting()
    const again = settle(bob, DeviceChannel.receive(DeviceChannel.start(options(bob, false)).channel, wire[0]!))
    assert.strictEqual(becauseOf(DeviceChannel.receive(again.step.channel, wire[2]!).need), "NotAuthentic")
  })
})

describe("a tampered handshake", () => {
  it("opens at neither end that depends on it, whichever byte of whichever message is flipped", () => {
    const lengths = meeting().wire.map(({ length }) => length)
    lengths.forEach((length, which) => {
      for (let at = 0; at < length; at++) {
        const { initiator, responder } = meeting((message, index) => (index === which ? flip(message, at) : message))
        assert.notStrictEqual(responder._tag, "Open", `byte ${at} of message ${which + 1}`)
        // The initiator is open once it has sent the third message; then only Bob can notice.
        if (which < 2) assert.notStrictEqual(initiator._tag, "Open", `byte ${at} of message ${which + 1}`)
      }
    })
  })

  it("is refused when a message is cut short, lengthened or beyond the limit", () => {
    const lengths = meeting().wire.map(({ length }) => length)
    lengths.forEach((length, which) => {
      for (const changed of [0, 1, 2, length - 17, length - 1, length + 1, DeviceChannel.handshakeBytesMax + 1]) {
        const { initiator, responder } = meeting((message, index) => {
          if (index !== which) return message
          const other = new Uint8Array(changed)
          other.set(message.subarray(0, changed))
          return other
        })
        assert.strictEqual(which === 1 ? initiator._tag : responder._tag, "Refused", `${changed} bytes of ${which + 1}`)
      }
    })
  })

  it("is refused with another version in front, and says which", () => {
    for (const which of [0, 1, 2]) {
      const { initiator, responder } = meeting((message, index) =>
        index === which ? Uint8Array.of(2, ...message.subarray(1)) : message
      )
      const need = which === 1 ? initiator : responder
      assert.deepStrictEqual(need, {
        _tag: "Refused",
        refusal: { because: "Version", what: "the peer speaks channel version 2, this side 1", found: undefined }
      })
    }
  })

  it("does not survive a version list changed on the way, though it travels in the clear", () => {
    const { initiator } = shake(
      { who: alice, options: options(alice, true, { versions: [1, 2] }) },
      { who: bob, options: options(bob, false) },
      (message, index) => (index === 0 ? Uint8Array.of(...message.subarray(0, -2), 0, 1) : message)
    )
    assert.strictEqual(becauseOf(initiator), "NotAuthentic")
  })

  it("never throws, whatever arrives", () => {
    const waiting = settle(alice, DeviceChannel.start(options(alice, true))).step.channel
    const listening = DeviceChannel.start(options(bob, false)).channel
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 600 }), fc.boolean(), (bytes, withVersion) => {
        const message = withVersion ? Uint8Array.of(1, ...bytes) : bytes
        assert.strictEqual(becauseOf(DeviceChannel.receive(waiting, message).need) === "Open", false)
        settle(bob, DeviceChannel.receive(listening, message))
      }),
      { numRuns: 200 }
    )
  })
})

describe("the outer TLS", () => {
  const [one, other] = [new Uint8Array(32).fill(1), new Uint8Array(32).fill(2)]
  const withExported = (ours: Uint8Array | undefined, theirs: Uint8Array | undefined) =>
    shake(
      { who: alice, options: options(alice, true, { exported: ours }) },
      { who: bob, options: options(bob, false, { exported: theirs }) }
    )

  it("may be the same at both ends or unknown to one of them", () => {
    for (const [ours, theirs] of [
      [one, one],
      [one, undefined],
      [undefined, one],
      [undefined, undefined]
    ]) {
      const { initiator, responder } = withExported(ours, theirs)
      assert.deepStrictEqual([initiator._tag, responder._tag], ["Open", "Open"])
    }
  })

  it("ended by somebody in between is noticed before the initiator says who it is", () => {
    const { initiator, wire } = withExported(one, other)
    assert.strictEqual(becauseOf(initiator), "OtherBinding")
    assert.lengthOf(wire, 2)
  })

  it("is checked by the responder too, where the initiator does not care", () => {
    const careless = options(alice, true)
    // States nothing while it judges Bob's statement, and another binding in its own proof.
    let asked = 0
    const liar = Object.defineProperty({ ...careless }, "exported", { get: () => (asked++ < 1 ? undefined : one) })
    const { responder } = shake(
      { who: alice, options: liar },
      { who: bob, options: options(bob, false, { exported: other }) }
    )
    assert.strictEqual(becauseOf(responder), "OtherBinding")
  })
})

describe("sealed frames", () => {
  const channel = () => {
    const { initiator, responder } = meeting()
    return { ours: sessionOf(initiator), theirs: sessionOf(responder) }
  }

  it("arrive whole, in order, in both directions", () => {
    const { ours, theirs } = channel()
    for (let length = 0; length < 70; length++) {
      const body = Uint8Array.from({ length }, (_, index) => index + length)
      assert.deepStrictEqual(theirs.open(ours.seal(length, body)), { _tag: "Frame", kind: length, body })
      assert.deepStrictEqual(ours.open(theirs.seal(255, body)), { _tag: "Frame", kind: 255, body })
    }
  })

  it("break the channel for good with any byte flipped, the kind included", () => {
    const length = channel().ours.seal(0, Uint8Array.of(1, 2, 3)).length
    assert.strictEqual(length, 3 + SealedFrames.overheadBytes)
    for (let at = 0; at < length; at++) {
      const { ours, theirs } = channel()
      const frame = ours.seal(0, Uint8Array.of(1, 2, 3))
      assert.strictEqual(theirs.open(flip(frame, at))._tag, "Broken", `byte ${at}`)
      assert.strictEqual(theirs.open(frame)._tag, "Broken", "the honest frame afterwards")
    }
  })

  const misuse: ReadonlyArray<
    readonly [string, (ours: DeviceChannel.Session, theirs: DeviceChannel.Session) => Uint8Array]
  > = [
    ["left out", (ours) => (ours.seal(0, Uint8Array.of(1)), ours.seal(0, Uint8Array.of(2)))],
    ["sent back to its sender", (_ours, theirs) => theirs.seal(0, Uint8Array.of(1))],
    ["of another connection", () => channel().ours.seal(0, Uint8Array.of(1))],
    ["cut short", (ours) => ours.seal(0, Uint8Array.of(1, 2, 3)).subarray(0, -1)],
    ["shorter than a tag", () => new Uint8Array(16)],
    ["empty", () => new Uint8Array(0)],
    ["lengthened", (ours) => Uint8Array.of(...ours.seal(0, Uint8Array.of(1)), 0)],
    ["beyond the limit", () => new Uint8Array(SealedFrames.bodyBytesMax + SealedFrames.overheadBytes + 1)]
  ]
  for (const [what, make] of misuse) {
    it(`break the channel when one is ${what}`, () => {
      const { ours, theirs } = channel()
      assert.strictEqual(theirs.open(make(ours, theirs))._tag, "Broken")
    })
  }

  it("break the channel when one is repeated", () => {
    const { ours, theirs } = channel()
    const frame = ours.seal(0, Uint8Array.of(1))
    assert.strictEqual(theirs.open(frame)._tag, "Frame")
    assert.strictEqual(theirs.open(frame)._tag, "Broken")
  })

  it("break the channel for good, also by one that was never tried for its length", () => {
    const { ours, theirs } = channel()
    const frame = ours.seal(0, Uint8Array.of(1))
    assert.strictEqual(theirs.open(new Uint8Array(5))._tag, "Broken")
    assert.strictEqual(theirs.open(frame)._tag, "Broken")
  })

  it("are not sealed beyond the limit", () => {
    const { ours } = channel()
    assert.throws(() => ours.seal(0, new Uint8Array(SealedFrames.bodyBytesMax + 1)), RangeError)
    assert.throws(() => ours.seal(256, new Uint8Array(0)), RangeError)
  })

  it("change their key after framesPerKey frames, at both ends alike", () => {
    const keys: Array<string> = []
    const suite: Noise.Suite = {
      ...nodeSuite,
      cipher: (key) => {
        keys.push(Buffer.from(key).toString("hex"))
        const real = nodeSuite.cipher(key)
        // Cheap frames, real keys: only what has a body is sealed in earnest.
        const cheap = new Uint8Array(SealedFrames.overheadBytes)
        return {
          seal: (nonce, associated, plain, room) =>
            plain.length === 0 ? cheap.slice() : real.seal(nonce, associated, plain, room),
          open: (nonce, associated, sealed) =>
            sealed.length === Noise.tagBytes ? new Uint8Array(0) : real.open(nonce, associated, sealed)
        }
      }
    }
    const key = new Uint8Array(32).fill(5)
    const [seal, open] = [SealedFrames.sealer(suite, key), SealedFrames.opener(suite, key)]
    const body = Uint8Array.of(1, 2, 3)
    for (let frame = 0; frame <= SealedFrames.framesPerKey * 2 + 1; frame++) {
      const real = frame % SealedFrames.framesPerKey < 2
      const opened = open(seal(0, real ? body : new Uint8Array(0)))
      if (real) assert.deepStrictEqual(opened, { _tag: "Frame", kind: 0, body })
    }
    assert.lengthOf(keys, 6)
    assert.lengthOf([...new Set(keys)], 3)
  })
})

describe("the format", () => {
  /** Everything that is drawn by chance otherwise, fixed; both suites must write the same. */
  const transcript = (suite: Noise.Suite) => {
    const fixed = (seed: number) => Noise.keyPair(suite, Redacted.make(new Uint8Array(32).fill(seed)))
    const texts: Array<Uint8Array> = []
    const recording = (who: Person): Person => ({
      device: who.device,
      sign: (message) => (texts.push(message), who.sign(message))
    })
    const { initiator, responder, wire } = shake(
      {
        who: recording(alice),
        options: {
          ...options(alice, true),
          suite,
          static: fixed(11),
          ephemeral: fixed(12),
          versions: [1, 2],
          exported: new Uint8Array(32).fill(9)
        }
      },
      {
        who: recording(bob),
        options: { ...options(bob, false), suite, static: fixed(21), ephemeral: fixed(22), versions: [1] }
      }
    )
    const [ours, theirs] = [sessionOf(initiator), sessionOf(responder)]
    const frames = [
      ours.seal(0, new Uint8Array(0)),
      ours.seal(1, new TextEncoder().encode("frame")),
      theirs.seal(2, new TextEncoder().encode("farewell"))
    ]
    const hexadecimal = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex")
    return {
      messages: wire.map(hexadecimal),
      signed: texts.map(hexadecimal),
      channelKey: hexadecimal(ours.channelKey),
      frames: frames.map(hexadecimal)
    }
  }

  it("is what it was: a fixed handshake gives the recorded bytes, in either suite", () => {
    assert.deepStrictEqual(transcript(nodeSuite), recorded.transcript)
    assert.deepStrictEqual(transcript(Noise.nobleSuite), recorded.transcript)
  })
})

describe("a caller out of turn", () => {
  it("is told so at once", () => {
    const waiting = DeviceChannel.start(options(alice, true)).channel
    assert.throws(() => DeviceChannel.signed(waiting, new Uint8Array(64)), /no signature is due/)
    assert.throws(() => DeviceChannel.verified(waiting, true), /no verdict is due/)
    const ended = DeviceChannel.receive(waiting, new Uint8Array(0)).channel
    assert.throws(() => DeviceChannel.receive(ended, new Uint8Array(0)), /no message is due/)
  })
})

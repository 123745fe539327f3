/** The HTTP API in OpenAPI 3.1, for everyone alike: it names no application, so operations are described by shape. */
import { lifetimeSecondsMax, required, tag } from "./SignedRequest.ts"

const problem = {
  description: "A problem (RFC 9457)",
  content: { "application/problem+json": { schema: { $ref: "#/components/schemas/Problem" } } }
}

const answer = (description: string, type: string, schema: object): object => ({
  description,
  content: { [type]: { schema } }
})

const parameter = (name: string, required: boolean, schema: object): object => ({ name, in: "query", required, schema })

export const openApi = {
  openapi: "3.1.0",
  info: { title: "Aura", version: "1" },
  paths: {
    "/healthz": {
      get: {
        summary: "The process lives",
        responses: { 200: answer("It does", "application/json", { type: "object" }) }
      }
    },
    "/api/v1/operations": {
      post: {
        summary: "Performs an operation as the device that signed the request",
        security: [{ device: [] }],
        requestBody: {
          required: true,
          content: { "application/json": { schema: { $ref: "#/components/schemas/Operation" } } }
        },
        responses: {
          200: answer("Done, and durable", "application/json", { $ref: "#/components/schemas/Performed" }),
          default: problem
        }
      }
    },
    "/api/v1/decisions": {
      get: {
        summary:
          "Whether a device may perform an operation now: the device that signed the request; the server's own device may ask about each, and gets the whole evidence",
        security: [{ device: [] }],
        parameters: [
          parameter("operation", true, { type: "string", maxLength: 128 }),
          parameter("device", false, { type: "string", pattern: "^[0-9a-f]{64}$" }),
          parameter("resource", false, { type: "string" })
        ],
        responses: {
          200: answer("How things stand; no permission", "application/json", { $ref: "#/components/schemas/Decision" }),
          default: problem
        }
      }
    }
  },
  components: {
    securitySchemes: {
      device: {
        type: "http",
        scheme: "Signature",
        description: `HTTP Message Signature (RFC 9421), Ed25519, tag="${tag}", covering ${required.join(", ")}; expires at most ${lifetimeSecondsMax} seconds after created; each nonce once; keyid is the DeviceId`
      }
    },
    schemas: {
      Operation: {
        type: "object",
        required: ["operation", "payload"],
        additionalProperties: false,
        properties: {
          operation: { type: "string", maxLength: 128 },
          payload: {},
          key: { type: "string", maxLength: 128, description: "Idempotency key: the same one is carried out once" }
        }
      },
      Performed: {
        type: "object",
        properties: {
          ok: { const: true },
          result: {},
          entry: {
            type: ["object", "null"],
            properties: { feed: { type: "string" }, seq: { type: "integer" } }
          },
          repeated: { type: "boolean" }
        }
      },
      Decision: {
        type: "object",
        properties: {
          ok: { const: true },
          device: { description: "The DeviceId; for the server's own device {device, name}" },
          operation: { type: "string" },
          resource: { type: ["string", "null"] },
          atMillis: { type: "integer" },
          snapshot: { type: "string", description: "Digest of all that it rests on: equal where the same is known" },
          decision: { enum: ["Allowed", "Denied"] },
          refusal: {
            type: ["object", "null"],
            description: "Kind and words; for the server's own device the whole evidence",
            properties: { kind: { type: "string" }, text: { type: "string" } }
          }
        }
      },
      Problem: {
        type: "object",
        properties: {
          type: { type: "string" },
          title: { type: "string" },
          status: { type: "integer" },
          code: { type: "string" },
          detail: { type: "string" },
          do: { type: "string", description: "What may be done about it" }
        }
      }
    }
  }
} as const

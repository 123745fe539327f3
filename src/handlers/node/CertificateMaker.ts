/**
 * Makes X.509 certificates: an authority of our own, and the servers it vouches for.
 *
 * Loaded only when one has to be made: the library behind it needs a third of a second to start. Results are PEM, key
 * first. It reads and writes no files and judges no certificate.
 */
import "reflect-metadata"
import * as x509 from "@peculiar/x509"
import { randomBytes, type KeyObject, type X509Certificate } from "node:crypto"
import { isIP } from "node:net"

x509.cryptoProvider.set(crypto)

const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" }
const { KeyUsageFlags } = x509

/** Key and certificate of a new authority, which may sign servers and no further authority. */
export const makeAuthority = async (fromMillis: number, untilMillis: number): Promise<string> => {
  const keys = await crypto.subtle.generateKey(algorithm, true, ["sign", "verify"])
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: serialNumber(),
    name: `CN=Aura private authority ${randomBytes(4).toString("hex")}`,
    notBefore: new Date(fromMillis),
    notAfter: new Date(untilMillis),
    signingAlgorithm: algorithm,
    keys,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey)
    ]
  })
  return `${await pem(keys.privateKey)}${certificate.toString("pem")}\n`
}

/** Key and certificate of a server with these names, and the authority's certificate after them. */
export const makeServer = async (
  authority: { readonly certificate: X509Certificate; readonly key: KeyObject },
  names: ReadonlyArray<string>,
  fromMillis: number,
  untilMillis: number
): Promise<string> => {
  const keys = await crypto.subtle.generateKey(algorithm, true, ["sign", "verify"])
  const pkcs8 = authority.key.export({ format: "der", type: "pkcs8" })
  const signingKey = await crypto.subtle.importKey("pkcs8", pkcs8, algorithm, false, ["sign"])
  const issuer = new x509.X509Certificate(authority.certificate.raw)
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: serialNumber(),
    subject: "CN=Aura server",
    issuer: issuer.subject,
    notBefore: new Date(fromMillis),
    notAfter: new Date(untilMillis),
    signingAlgorithm: algorithm,
    publicKey: keys.publicKey,
    signingKey,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
      new x509.SubjectAlternativeNameExtension(
        names.map((value) => ({ type: isIP(value) === 0 ? ("dns" as const) : ("ip" as const), value }))
      ),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
      await x509.AuthorityKeyIdentifierExtension.create(issuer.publicKey)
    ]
  })
  return `${await pem(keys.privateKey)}${certificate.toString("pem")}\n${authority.certificate.toString()}`
}

const serialNumber = (): string => {
  const bytes = randomBytes(16)
  // Positive, and without a leading zero byte.
  bytes[0] = (bytes[0]! & 0x3f) | 0x40
  return bytes.toString("hex")
}

/** Named so because only some configurations of the compiler know `CryptoKey` as a type. */
type ExportableKey = Parameters<typeof crypto.subtle.exportKey>[1]

const pem = async (key: ExportableKey): Promise<string> => {
  const base64 = Buffer.from(await crypto.subtle.exportKey("pkcs8", key)).toString("base64")
  const lines = base64.match(/.{1,64}/gu) ?? []
  return `-----BEGIN PRIVATE KEY-----\n${lines.join("\n")}\n-----END PRIVATE KEY-----\n`
}

/**
 * The few globals that every environment has and that portable code may use: everything else (timers, fetch, crypto,
 * process, window, console) is refused by name, because the portable folders compile with `types: []` and no DOM.
 */
declare class TextEncoder {
  encode(text: string): Uint8Array<ArrayBuffer>
  encodeInto(text: string, into: Uint8Array): { read: number; written: number }
}
declare class TextDecoder {
  constructor(label?: "utf-8", options?: { readonly fatal?: boolean; readonly ignoreBOM?: boolean })
  decode(bytes: Uint8Array): string
}

/**
 * Numbers with a fraction in 16 bits (IEEE 754 binary16), which the platforms' own DataView does not offer everywhere.
 *
 * Exact or not at all: nothing is rounded. Numbers without a fraction are integers in our encoding and no business of
 * this file.
 */

export const isFraction = (value: number): boolean => Number.isFinite(value) && !Number.isInteger(value)

const scratch = new DataView(new ArrayBuffer(4))

/** The 16 bits of the half-precision float that is exactly `value`, or -1 if there is none. `value` has a fraction. */
export const halfBits = (value: number): number => {
  scratch.setFloat32(0, value)
  if (scratch.getFloat32(0) !== value) return -1
  const bits = scratch.getUint32(0)
  const sign = (bits >>> 16) & 0x8000
  const exponent = ((bits >>> 23) & 0xff) - 127
  const mantissa = bits & 0x7f_ffff
  if (exponent > 15 || exponent < -24) return -1
  if (exponent >= -14) return (mantissa & 0x1fff) === 0 ? sign | ((exponent + 15) << 10) | (mantissa >>> 13) : -1
  const significand = mantissa | 0x80_0000
  const shift = -1 - exponent
  return (significand & ((1 << shift) - 1)) === 0 ? sign | (significand >>> shift) : -1
}

export const halfFromBits = (bits: number): number => {
  const sign = (bits & 0x8000) === 0 ? 1 : -1
  const exponent = (bits >>> 10) & 0x1f
  const mantissa = bits & 0x3ff
  if (exponent === 0x1f) return mantissa === 0 ? sign * Infinity : NaN
  return sign * (exponent === 0 ? mantissa * 2 ** -24 : (1 + mantissa / 1024) * 2 ** (exponent - 15))
}

/** Small trees of sentences, as lines for people. */

export interface Branch {
  readonly text: string
  readonly of?: ReadonlyArray<Branch>
}

/** The text of the root, then what hangs on it, each a step further in. */
export const draw = ({ of = [], text }: Branch): ReadonlyArray<string> => [
  text,
  ...of.flatMap((branch, index) => {
    const isLast = index === of.length - 1
    const [first = "", ...rest] = draw(branch)
    return [`${isLast ? "└─" : "├─"} ${first}`, ...rest.map((line) => `${isLast ? "  " : "│ "} ${line}`)]
  })
]

/** Later. */
import type { Question } from "./question.ts"
export const questions: ReadonlyArray<Question> = []

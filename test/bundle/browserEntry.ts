/** All of the browser entry, nothing left out: the most a page can pay for it. */
import * as Aura from "aura/browser"

Object.assign(globalThis, { aura: Aura })

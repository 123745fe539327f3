/** How the pages look: the system's own fonts, light or dark as the person prefers, everything reachable by keyboard. */
export const style = `
:root { --ink: #1c1c1f; --dim: #55565e; --paper: #fbfbfc; --card: #fff; --line: #d9d9e0; --accent: #3847c9; --onaccent: #fff; --good: #13693a; --bad: #a61b1b }
@media (prefers-color-scheme: dark) {
  :root { --ink: #ececf1; --dim: #b0b1bb; --paper: #141417; --card: #1d1d22; --line: #3a3a43; --accent: #a9b4ff; --onaccent: #14152b; --good: #7fd6a0; --bad: #ff9b94 }
}
* { box-sizing: border-box }
body { margin: 0; background: var(--paper); color: var(--ink); font: 16px/1.5 system-ui, sans-serif }
header, main, #notice { max-width: 56rem; margin: 0 auto; padding: 0 1rem }
header { display: flex; flex-wrap: wrap; align-items: baseline; gap: 0 1rem; padding-top: 1.5rem }
h1 { font-size: 1.6rem; margin: 0 }
h2 { font-size: 1.05rem; margin: 0 0 .6rem }
h2 small, #liveness, dt { color: var(--dim); font-weight: 400 }
#liveness { margin: 0; font-size: .9rem }
#notice:empty { display: none }
#notice { margin-top: 1rem; color: var(--bad) }
section { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 1rem 1.2rem; margin: 1rem 0 }
section:empty { display: none }
section p, section ul, section ol { margin: .3rem 0 }
.wide { overflow-x: auto }
table { border-collapse: collapse; width: 100% }
th, td { text-align: start; padding: .45rem .8rem .45rem 0; border-bottom: 1px solid var(--line); vertical-align: middle; overflow-wrap: anywhere }
tbody tr:last-child td { border-bottom: 0 }
tbody td:first-child { min-width: 9rem }
dt::first-letter { text-transform: uppercase }
th { font-size: .85rem; color: var(--dim); font-weight: 600; overflow-wrap: normal }
form { display: inline-flex; flex-wrap: wrap; gap: .4rem; align-items: center; margin: .15rem .5rem .15rem 0 }
label { font-size: .85rem; color: var(--dim) }
input, select, button { font: inherit; color: inherit; background: var(--paper); border: 1px solid var(--dim); border-radius: 7px; padding: .3rem .6rem }
input[type=text] { width: 14rem; max-width: 100% }
.actions input[type=text] { width: 9rem }
button { cursor: pointer }
button:hover { border-color: var(--accent); color: var(--accent) }
#operations button, #pair { background: var(--accent); border-color: var(--accent); color: var(--onaccent) }
button:disabled { opacity: .6; cursor: progress }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .2rem 1rem; margin: .6rem 0 0 }
dd { margin: 0; overflow-wrap: anywhere }
code { font: .9em ui-monospace, monospace; overflow-wrap: anywhere }
.checks { list-style: none; padding: 0 }
.good { color: var(--good) }
.bad { color: var(--bad) }
.good::before { content: "\\2713\\00a0" }
.bad::before { content: "\\2717\\00a0" }
@media (max-width: 40rem) { dl { grid-template-columns: 1fr } dd { margin-bottom: .4rem } }
`

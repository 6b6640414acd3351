/** Asks for the token that `cosim serve` printed. */

import { h, setText } from "../dom.js";

const REFUSED = "This token was refused. Compare it with the one the server printed; it changes when it is renewed.";

/**
 * @param {HTMLElement} root
 * @param {() => Promise<void>} again Called once the server may know us.
 * @param {boolean} denied Whether the address had a wrong token.
 */
export function tokenView(root, again, denied) {
  const field = h("input", {
    id: "token", name: "token", type: "password", autocomplete: "current-password", required: true,
    "aria-describedby": "token-help token-problem", spellcheck: "false",
  });
  const problem = h("p", { id: "token-problem", class: "problem", role: "alert", text: denied ? REFUSED : "" });
  const button = h("button", { class: "button button-primary", type: "submit", text: "Sign in" });
  const form = h("form", { class: "stack" },
    h("label", { for: "token", text: "Token" }), field, problem, button);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    button.disabled = true;
    setText(problem, await signIn(field.value.trim()));
    button.disabled = false;
    if (problem.textContent) field.select();
    else await again();
  });
  root.append(h("section", { class: "card token-card" },
    h("h1", { text: "Sign in with the token" }),
    h("p", { id: "token-help" }, "When the server started it printed an address that ends in ",
      h("code", { text: "?token=…" }), ". Open that address, or copy what follows the equals sign into ",
      "the field below. The token is also in the file ", h("code", { text: "token" }),
      " of the server's data folder."), form));
  field.focus();
}

/** Lets the server set its cookie and says what went wrong, or nothing. */
async function signIn(token) {
  try {
    await fetch(`?${new URLSearchParams({ token })}`, { credentials: "same-origin", cache: "no-store" });
    const answer = await fetch("api/v1/runs?limit=1", { credentials: "same-origin", cache: "no-store" });
    if (answer.ok) return "";
    if (answer.status === 401) return REFUSED;
    return `The server answered ${answer.status}.`;
  } catch {
    return "The server cannot be reached.";
  }
}

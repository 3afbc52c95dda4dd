// Lets an operator put a note on an entry of the walk list, or mark it as seen. The token stays in this page's memory.
"use strict";
(() => {
  const field = (label, input) => {
    const row = document.createElement("label");
    row.append(label, " ", input);
    return row;
  };
  const made = (tag, properties) => Object.assign(document.createElement(tag), properties);

  const note = made("textarea", { name: "note", maxLength: 500, rows: 3 });
  const seen = made("input", { name: "seen", type: "checkbox" });
  const by = made("input", { name: "by", maxLength: 64, autocomplete: "username" });
  const token = made("input", { name: "token", type: "password", autocomplete: "off" });
  const trouble = made("p", { className: "banner alarm", hidden: true });
  const title = made("h2", { id: "say-title" });
  const send = made("button", { type: "submit", textContent: "Send" });
  const leave = made("button", { type: "button", textContent: "Cancel" });
  const form = made("form", { method: "dialog" });
  const dialog = made("dialog", { className: "say" });
  trouble.setAttribute("role", "alert");
  dialog.setAttribute("aria-labelledby", title.id);
  form.append(title, field("Note", note), field("Seen", seen), field("Your name", by));
  form.append(field("Token, unless you logged in", token), trouble, send, " ", leave);
  dialog.append(form);
  document.body.append(dialog);
  document.body.dataset.scripted = "";

  let entry = "";
  let before = "";

  document.addEventListener("click", (event) => {
    const button = event.target.closest("button[data-say]");
    if (!button) return;
    entry = button.dataset.say;
    title.textContent = button.getAttribute("aria-label");
    before = button.closest("li").querySelector("q")?.textContent ?? "";
    note.value = before;
    seen.checked = false;
    trouble.hidden = true;
    dialog.showModal();
  });
  leave.addEventListener("click", () => dialog.close());

  async function say() {
    const order = { by: by.value.trim(), seen: seen.checked };
    if (note.value.trim() !== before) order.note = note.value.trim();
    const headers = { "Content-Type": "application/json" };
    if (token.value) headers.Authorization = `Bearer ${token.value}`;
    const request = { method: "POST", headers, body: JSON.stringify(order), credentials: "same-origin" };
    const answer = await fetch(`api/v1/repairs/${encodeURIComponent(entry)}`, request);
    if (!answer.ok) throw new Error((await answer.json().catch(() => ({}))).error || `the agent answered ${answer.status}`);
    tell(await answer.json());
    dialog.close();
  }

  // The page's next refresh says the same, with times.
  function tell(kept) {
    const said = document.getElementById(`r${kept.id}`)?.querySelector(".said");
    if (!said) return;
    const button = said.querySelector("button");
    const pieces = [];
    if (kept.seen) pieces.push(made("span", { className: "seen", textContent: `seen by ${kept.seen.by}` }), " ");
    if (kept.note?.text) pieces.push(made("q", { textContent: kept.note.text }), " ");
    said.replaceChildren(...pieces, button);
    button.focus();
  }

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    send.disabled = true;
    try {
      await say();
    } catch (error) {
      trouble.textContent = `Not kept: ${error instanceof TypeError ? "the agent does not answer" : error.message}`.replace(/\.*$/, ".");
      trouble.hidden = false;
    } finally {
      send.disabled = false;
    }
  });
})();

// Refreshes a page in place, sorts its tables and submits its filters. It asks for nothing but the page's own address.
"use strict";
(() => {
  const every = Number(document.body.dataset.refresh) * 1000;
  const deadline = 8000;
  const note = document.querySelector(".refresh");
  const alarm = document.createElement("p");
  const sorted = new Map();
  let address = location.href;
  let loadedAt = Date.now();
  let failure = "";
  let loading = null;
  let timer = 0;
  let typing = 0;

  // The page in place.

  const keyOf = (node) => (node.nodeType === 1 && (node.id || node.dataset.key)) || "";

  // A reader's own doing stays: what is open, what is typed, what is sorted.
  const isKept = (node, name) =>
    (node.nodeName === "DETAILS" && name === "open") || (name === "value" && node === document.activeElement);

  function morph(have, want) {
    if (have.nodeType !== 1) {
      if (have.data !== want.data) have.data = want.data;
      return;
    }
    if (have.isEqualNode(want)) return;
    for (const { name, value } of [...want.attributes])
      if (!isKept(have, name) && have.getAttribute(name) !== value) have.setAttribute(name, value);
    for (const { name } of [...have.attributes])
      if (!isKept(have, name) && !want.hasAttribute(name)) have.removeAttribute(name);
    if (have.nodeName === "SELECT" && have === document.activeElement) return;
    morphChildren(have, want);
  }

  function morphChildren(have, want) {
    const keyed = new Map();
    for (const child of have.children) if (keyOf(child)) keyed.set(keyOf(child), child);
    let at = have.firstChild;
    for (const wanted of [...want.childNodes]) {
      const key = keyOf(wanted);
      let match = key ? keyed.get(key) : at;
      while (!key && match && (match.nodeName !== wanted.nodeName || keyOf(match))) match = match.nextSibling;
      if (!match || match.nodeName !== wanted.nodeName) {
        have.insertBefore(document.importNode(wanted, true), at);
        continue;
      }
      if (match === at) at = at.nextSibling;
      else have.insertBefore(match, at);
      morph(match, wanted);
    }
    while (at) {
      const next = at.nextSibling;
      at.remove();
      at = next;
    }
  }

  function take(page) {
    const focused = document.activeElement;
    for (const old of document.querySelectorAll("[data-live]")) {
      const fresh = page.querySelector(`[data-live="${old.dataset.live}"]`);
      if (!fresh) continue;
      enhance(fresh);
      morph(old, fresh);
    }
    document.title = page.title;
    document.body.dataset.now = page.body.dataset.now;
    if (focused !== document.activeElement && focused.isConnected) focused.focus({ preventScroll: true });
  }

  // Loading.

  async function load(target) {
    loading?.abort();
    const control = new AbortController();
    loading = control;
    const giveUp = setTimeout(() => control.abort("late"), deadline);
    try {
      const answer = await fetch(target, { signal: control.signal, cache: "no-store", credentials: "same-origin" });
      if (!answer.ok) throw new Error(`the agent answered ${answer.status}`);
      if (!(answer.headers.get("Content-Type") || "").startsWith("text/html")) throw new Error("no page came");
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      if (!page.querySelector("[data-live]")) throw new Error("another page came");
      if (loading !== control) return;
      if (target !== address) history.replaceState(null, "", (address = target));
      take(page);
      loadedAt = Date.now();
      failure = "";
    } catch (error) {
      if (loading !== control) return;
      if (control.signal.aborted) failure = `no answer within ${deadline / 1000} s`;
      else failure = error instanceof TypeError ? "the agent does not answer" : error.message;
    } finally {
      clearTimeout(giveUp);
      if (loading === control) {
        loading = null;
        tell();
        plan();
      }
    }
  }

  function isReading() {
    const chosen = getSelection();
    return Boolean(chosen) && !chosen.isCollapsed && String(chosen).trim() !== "";
  }

  function plan() {
    clearTimeout(timer);
    timer = setTimeout(refresh, every);
  }

  function refresh() {
    if (loading) return;
    if (document.hidden || isReading()) {
      tell();
      plan();
    } else load(address);
  }

  // What the page says of itself.

  const seconds = () => Math.max(0, Math.round((Date.now() - loadedAt) / 1000));
  const words = (s) =>
    s < 120 ? `${s} s` : s < 7200 ? `${Math.floor(s / 60)} min` : `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min`;

  function say(element, text) {
    if (element.textContent !== text) element.textContent = text;
  }

  function tell() {
    document.body.toggleAttribute("data-stale", failure !== "");
    alarm.hidden = failure === "";
    if (failure) {
      say(alarm.firstChild, `This page could not refresh: ${failure}. `);
      say(alarm.lastChild, `It is ${words(seconds())} old.`);
    }
    say(note, failure ? "not refreshed" : isReading() ? "paused while text is selected" : `refreshes every ${every / 1000} s`);
    age();
  }

  // The server's clock counts, not this computer's.
  let skew = Date.now() / 1000 - Number(document.body.dataset.now);
  function age() {
    if (loadedAt > Date.now() - 1000 && !failure) skew = loadedAt / 1000 - Number(document.body.dataset.now);
    for (const time of document.querySelectorAll("[data-age]"))
      say(time, words(Math.max(0, Math.round(Date.now() / 1000 - skew - Number(time.dataset.age)))));
  }

  // Tables.

  const collator = new Intl.Collator(undefined, { numeric: true });
  const cellValue = (row, column) => {
    const cell = row.cells[column];
    return cell ? (cell.dataset.sort ?? cell.textContent.trim()) : "";
  };

  function compare(a, b, sign) {
    // What has no figure stays last in both directions.
    const [noA, noB] = [a === "" || a === "-", b === "" || b === "-"];
    if (noA || noB) return noA - noB;
    const [x, y] = [Number(a), Number(b)];
    return sign * (Number.isNaN(x) || Number.isNaN(y) ? collator.compare(a, b) : x - y);
  }

  function order(table) {
    const choice = sorted.get(table.dataset.sortable);
    for (const head of table.tHead.rows[0].cells) head.removeAttribute("aria-sort");
    if (!choice) return;
    table.tHead.rows[0].cells[choice.column]?.setAttribute("aria-sort", choice.sign > 0 ? "ascending" : "descending");
    const rows = [...table.tBodies[0].rows].map((row) => [cellValue(row, choice.column), row]);
    rows.sort(([a], [b]) => compare(a, b, choice.sign));
    table.tBodies[0].append(...rows.map(([, row]) => row));
  }

  function enhance(root) {
    for (const table of root.querySelectorAll("table[data-sortable]")) {
      for (const head of table.tHead.rows[0].cells) {
        const button = document.createElement("button");
        button.type = "button";
        button.append(...head.childNodes);
        head.append(button);
      }
      order(table);
    }
  }

  document.addEventListener("click", (event) => {
    const head = event.target.closest("table[data-sortable] thead button")?.closest("th");
    if (!head) return;
    const table = head.closest("table");
    const before = sorted.get(table.dataset.sortable);
    const first = head.classList.contains("number") ? -1 : 1;
    const sign = before?.column === head.cellIndex ? -before.sign : first;
    sorted.set(table.dataset.sortable, { column: head.cellIndex, sign });
    order(table);
  });

  // Filters: without this script they submit as any form does.

  function submit(form) {
    const target = new URL(form.action);
    const filled = [...new FormData(form)].filter(([, value]) => value !== "");
    target.search = new URLSearchParams(filled).toString();
    load(target.href);
  }

  document.addEventListener("input", (event) => {
    const form = event.target.closest("form[data-filter]");
    if (!form) return;
    clearTimeout(typing);
    typing = setTimeout(() => submit(form), event.target.type === "search" ? 350 : 0);
  });

  document.addEventListener("submit", (event) => {
    if (!event.target.matches("form[data-filter]")) return;
    event.preventDefault();
    clearTimeout(typing);
    submit(event.target);
  });

  alarm.className = "banner alarm stale";
  alarm.setAttribute("role", "alert");
  alarm.hidden = true;
  const old = document.createElement("span");
  old.setAttribute("aria-live", "off");
  alarm.append(document.createElement("span"), old);
  document.querySelector("main").before(alarm);
  enhance(document);
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden && Date.now() - loadedAt >= every) refresh();
  });
  setInterval(() => (failure ? tell() : age()), 1000);
  tell();
  plan();
})();

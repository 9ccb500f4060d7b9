// Small things that need the browser: colours for charts, the look, the keyboard. Everything else is the server's.
"use strict";

// A colour of the style sheet as charts know it, in the theme of the moment.
function htbotColour(name) {
  const probe = document.createElement("span");
  probe.style.color = `var(${name})`;
  document.body.append(probe);
  const found = getComputedStyle(probe).color;
  probe.remove();
  return found;
}

function htbotMoney(value) {
  const sign = value < 0 ? "\u2212" : "";
  return sign + "$" + Math.abs(value).toLocaleString("en-US", { maximumFractionDigits: 2 });
}

(() => {
  const themes = ["auto", "light", "dark"];

  function keepLook(changed) {
    const { theme, clock, account } = { ...look(), ...changed };
    const zone = Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";
    document.cookie = `htbot_look=${theme}.${clock}.${zone}.${account}; path=/dashboard; max-age=31536000; samesite=strict`;
    location.reload();
  }

  function look() {
    const data = document.getElementById("clock-switch")?.dataset ?? {};
    return { theme: data.theme ?? "auto", clock: data.clock ?? "ny", account: data.account ?? "" };
  }

  const acts = {
    "clock-switch": () => keepLook({ clock: look().clock === "ny" ? "local" : "ny" }),
    "theme-switch": () => keepLook({ theme: themes[(themes.indexOf(look().theme) + 1) % themes.length] }),
    "shortcuts-open": () => document.getElementById("shortcuts")?.showModal(),
  };

  document.addEventListener("click", (event) => {
    const button = event.target.closest?.("button[id]");
    if (button && acts[button.id]) acts[button.id]();
  });

  document.addEventListener("change", (event) => {
    if (event.target.id === "account-switch") keepLook({ account: event.target.value });
  });

  const shown = (id) => {
    const element = document.getElementById(id);
    return element && element.offsetParent !== null ? element : null;
  };

  const keys = {
    "?": acts["shortcuts-open"],
    t: acts["theme-switch"],
    z: acts["clock-switch"],
    h: () => (shown("halt-button") ?? shown("resume-button"))?.click(),
    f: () => shown("flatten-button")?.click(),
    "/": () => shown("row-filter")?.focus(),
  };

  // --- tables that can be sorted and filtered: the server draws them anew, and the choice is put on again -------------

  const sorted = new Map(); // by caption: the column, and whether it goes down
  let focused = null;

  // What a cell is sorted by: a moment, a duration in minutes, a number, or its words.
  function sortValue(cell) {
    const moment = cell.querySelector("time[datetime]");
    if (moment) return moment.dateTime;
    const text = cell.textContent.trim().replace(/\u2212/g, "-");
    const span = text.match(/^(?:(\d+) h )?(\d+) (min|s)$/);
    if (span) return (span[1] ?? 0) * 60 + span[2] / (span[3] === "s" ? 60 : 1);
    const number = text.match(/^[▲▼]?\s*([-+]?)\$?([\d,]+(?:\.\d+)?)/);
    return number ? Number(number[1] + number[2].replace(/,/g, "")) : text.toLowerCase();
  }

  function compare(one, other) {
    if (typeof one === typeof other) return one < other ? -1 : one > other ? 1 : 0;
    return typeof one === "number" ? 1 : -1; // what is unknown stands below what is known
  }

  function arrange(box) {
    const words = (document.getElementById("row-filter")?.value ?? "").toLowerCase().split(/\s+/);
    const rows = [...box.querySelectorAll("tbody tr")];
    const chosen = sorted.get(box.ariaLabel);
    const values = new Map();
    for (const [at, row] of rows.entries()) {
      row.dataset.at ??= at; // as the server has it
      row.hidden = !words.every((word) => row.textContent.toLowerCase().includes(word));
      values.set(row, chosen ? sortValue(row.cells[chosen.column]) : Number(row.dataset.at));
    }
    const turn = chosen?.down ? -1 : 1;
    rows.sort((one, other) => turn * compare(values.get(one), values.get(other)));
    rows[0]?.parentElement.append(...rows);
    for (const [column, head] of box.querySelectorAll("th").entries()) {
      if (chosen?.column === column) head.setAttribute("aria-sort", chosen.down ? "descending" : "ascending");
      else head.removeAttribute("aria-sort");
      const lost = focused?.caption === box.ariaLabel && focused.column === column;
      if (lost && document.activeElement === document.body) head.firstElementChild.focus({ preventScroll: true });
    }
  }

  const drawn = new MutationObserver(() => {
    if (sorted.size || document.getElementById("row-filter")?.value) arrangeAll();
  });

  function arrangeAll() {
    document.querySelectorAll(".table.sortable").forEach(arrange);
    drawn.takeRecords(); // what was just done is no news
  }

  function placeOf(button) {
    return { caption: button.closest(".table").ariaLabel, column: button.closest("th").cellIndex };
  }

  document.addEventListener("click", (event) => {
    const button = event.target.closest?.("button.sort");
    if (!button) return;
    const { caption, column } = placeOf(button);
    const before = sorted.get(caption)?.column === column ? sorted.get(caption) : null;
    if (before && !before.down) sorted.delete(caption); // the third press
    else sorted.set(caption, { column, down: !before });
    arrangeAll();
  });
  document.addEventListener("input", (event) => event.target.id === "row-filter" && arrangeAll());
  document.addEventListener("focusin", (event) => {
    focused = event.target.matches?.("button.sort") ? placeOf(event.target) : null;
  });

  // The server has sent banner and navigation as they are, to be seen while the scripts load: the page takes over.
  const app = document.getElementById("app");
  new MutationObserver((_changes, watching) => {
    watching.disconnect();
    document.getElementById("shell")?.remove();
  }).observe(app, { childList: true });

  // The header may wrap, and the navigation begins where it ends.
  const measured = new ResizeObserver(([header]) => {
    const height = header.borderBoxSize[0].blockSize;
    document.documentElement.style.setProperty("--below", `${height}px`);
  });

  // On a phone the navigation scrolls: show where we are, once the page has been put together.
  const here = setInterval(() => {
    const link = document.querySelector("nav.side a[aria-current]");
    if (!link) return;
    clearInterval(here);
    measured.observe(document.querySelector("header.top"));
    drawn.observe(document.getElementById("content"), { childList: true, subtree: true });
    if (location.hash) document.getElementById(location.hash.slice(1))?.scrollIntoView();
    link.closest("nav").scrollLeft = link.offsetLeft - link.closest("nav").clientWidth / 2;
  }, 50);

  let going = 0;
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    if (event.target.closest?.("input, textarea, select, [contenteditable], dialog, .q-dialog")) return;
    if (Date.now() - going < 1500) {
      going = 0;
      const link = document.querySelector(`nav.side a[data-key="${CSS.escape(event.key)}"]`);
      if (link) link.click();
    } else if (event.key === "g") {
      going = Date.now();
    } else if (keys[event.key]) {
      event.preventDefault();
      keys[event.key]();
    }
  });
})();

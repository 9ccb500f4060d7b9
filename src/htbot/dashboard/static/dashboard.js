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
  };

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

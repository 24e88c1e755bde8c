"use strict";
// The page is whole without this: it filters the differences, folds them, and reads the time lines out.
(() => {
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  const one = (selector) => document.querySelector(selector);

  const differences = all(".difference");
  const form = one("form.filter");
  const box = form && one("form.filter input");
  const texts = new Map();

  const text = (difference) => {
    if (!texts.has(difference)) {
      const facets = Object.values(difference.dataset).join(" ");
      texts.set(difference, `${facets} ${difference.textContent}`.toLowerCase());
    }
    return texts.get(difference);
  };

  // Within a facet one of the chosen values must hold, and every facet, and every word.
  const filter = () => {
    const words = box.value.toLowerCase().split(/\s+/).filter(Boolean);
    const chosen = {};
    for (const chip of all(".chip[aria-pressed=true]")) {
      (chosen[chip.dataset.facet] ||= new Set()).add(chip.dataset.value);
    }
    const facets = Object.entries(chosen);
    let shown = 0;
    for (const difference of differences) {
      const holds =
        facets.every(([facet, values]) => values.has(difference.dataset[facet])) &&
        words.every((word) => text(difference).includes(word));
      difference.hidden = !holds;
      shown += holds;
    }
    for (const group of all("[data-group]")) {
      const count = all(".difference", group).filter((difference) => !difference.hidden).length;
      group.hidden = count === 0;
      group.querySelector(".count").textContent = count;
    }
    one(".nothing").hidden = shown > 0;
    one("form.filter output").textContent =
      shown === differences.length ? `${shown} shown` : `${shown} of ${differences.length} shown`;
  };

  const clear = () => {
    box.value = "";
    for (const chip of all(".chip")) chip.setAttribute("aria-pressed", "false");
    filter();
  };

  const search = (words) => {
    clear();
    box.value = words;
    filter();
    one("#differences").scrollIntoView();
  };

  if (form) {
    form.hidden = false;
    form.addEventListener("submit", (event) => event.preventDefault());
    box.addEventListener("input", filter);
    for (const chip of all(".chip")) {
      chip.addEventListener("click", () => {
        chip.setAttribute("aria-pressed", String(chip.getAttribute("aria-pressed") !== "true"));
        filter();
      });
    }
    for (const button of all("[data-fold]")) {
      button.addEventListener("click", () => {
        for (const difference of differences) {
          if (!difference.hidden) difference.open = button.dataset.fold === "open";
        }
      });
    }
    one("[data-clear]").addEventListener("click", clear);
    document.addEventListener("keydown", (event) => {
      const typing = event.target.matches("input");
      if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey && !event.altKey) {
        event.preventDefault();
        box.focus();
      } else if (event.key === "Escape" && typing) {
        clear();
      }
    });
    filter();
  }

  // A link to a difference opens it.
  const follow = () => {
    const target = location.hash.length > 1 && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (target && target.matches(".difference")) {
      target.open = true;
      target.scrollIntoView();
    }
  };
  window.addEventListener("hashchange", follow);
  follow();

  // What is printed is whole.
  let folded = [];
  window.addEventListener("beforeprint", () => {
    folded = all("details:not([open])").filter((details) => !details.closest("[hidden]"));
    for (const details of folded) details.open = true;
  });
  window.addEventListener("afterprint", () => {
    for (const details of folded) details.open = false;
  });

  const chart = one(".chart");
  if (chart) {
    const readout = one(".readout");
    const read = (event) => {
      if (event.target.matches(".tasks .bar, .step")) readout.textContent = event.target.title;
    };
    chart.addEventListener("pointerover", read);
    chart.addEventListener("focusin", read);
    chart.addEventListener("click", (event) => {
      if (form && event.target.matches(".bar.touches")) search(event.target.dataset.where);
    });
    // One stop of the tab key for each machine; the arrow keys go from task to task.
    chart.addEventListener("keydown", (event) => {
      if (!event.target.matches(".tasks .bar")) return;
      const bars = all(".bar", event.target.parentElement);
      const at = bars.indexOf(event.target);
      const to = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: bars.length - 1 }[event.key];
      if (to === undefined || !bars[to]) return;
      event.preventDefault();
      event.target.tabIndex = -1;
      bars[to].tabIndex = 0;
      bars[to].focus();
    });
    const scale = one(".scale");
    let zoom = 1;
    one(".zoom").hidden = false;
    for (const button of all("[data-zoom]")) {
      button.addEventListener("click", () => {
        const middle = (chart.scrollLeft + chart.clientWidth / 2) / zoom;
        zoom = Math.min(64, Math.max(1, zoom * Number(button.dataset.zoom)));
        scale.style.width = `${zoom * 100}%`;
        chart.scrollLeft = middle * zoom - chart.clientWidth / 2;
      });
    }
  }
})();

// Draws power, energy and state of charge of a session with uPlot; re-reads the columns when the session changed.
(function () {
  "use strict";
  const HEIGHT = 260;

  function colour(name) {
    const probe = document.createElement("span");
    probe.style.color = `var(${name})`;
    document.body.append(probe);
    const value = getComputedStyle(probe).color;
    probe.remove();
    return value;
  }

  function axis(label, extra) {
    return {
      stroke: colour("--quiet"), font: "11px Inter Variable, sans-serif", ticks: { show: false },
      grid: { stroke: colour("--line"), width: 1 }, ...(label ? { label, labelSize: 18, labelFont: "11px Inter Variable, sans-serif" } : {}),
      ...extra,
    };
  }

  function options(data, words, width) {
    const zone = data.zone;
    const short = data.at[data.at.length - 1] - data.at[0] < 300; // seconds
    const clock = new Intl.DateTimeFormat("en-GB", { timeZone: zone, hour: "2-digit", minute: "2-digit", ...(short ? { second: "2-digit" } : {}) });
    const full = new Intl.DateTimeFormat("en-GB", { timeZone: zone, dateStyle: "medium", timeStyle: "medium" });
    // Without a cursor the legend tells the last value.
    const last = (self, series) => self.data[series].findLast((value) => value !== null && value !== undefined);
    const figure = (unit, digits) => (self, value, series, index) => {
      const shown = index === null || index === undefined ? last(self, series) : value;
      return shown === null || shown === undefined ? "–" : `${shown.toFixed(digits)} ${unit}`;
    };
    const points = { show: data.at.length < 3 };
    const series = [
      { label: words.time, value: (self, value) => { const shown = value ?? last(self, 0); return shown ? full.format(shown * 1000) : "–"; } },
      { label: words.power, stroke: colour("--live"), fill: colour("--live-ground"), width: 2, scale: "kW", value: figure("kW", 2), spanGaps: false, points },
      { label: words.energy, stroke: colour("--info"), width: 1.5, dash: [5, 4], scale: "kWh", value: figure("kWh", 3), spanGaps: true, points },
    ];
    const axes = [
      axis("", { grid: { show: false }, size: 32, values: (self, ticks) => ticks.map((tick) => clock.format(tick * 1000)) }),
      axis("kW", { scale: "kW", size: 46 }),
      axis("kWh", { scale: "kWh", side: 1, grid: { show: false }, size: 50 }),
    ];
    const scales = { x: { time: true }, kW: { range: (self, min, max) => [0, Math.max(max * 1.1, 1)] }, kWh: { range: (self, min, max) => [0, Math.max(max * 1.1, 0.1)] } };
    if (data.soc_percent.some((value) => value !== null)) {
      series.push({ label: words.soc, stroke: colour("--warn"), width: 1.5, scale: "%", value: figure("%", 0), spanGaps: true, points });
      scales["%"] = { range: [0, 100] };
    }
    return { width, height: HEIGHT, series, axes, scales, cursor: { y: false, points: { size: 7 } }, legend: { live: true } };
  }

  function columns(data) {
    const rows = [data.at, data.power_kw, data.energy_kwh];
    if (data.soc_percent.some((value) => value !== null)) rows.push(data.soc_percent);
    return rows;
  }

  async function draw(element) {
    const notice = element.querySelector("[data-chart-words]");
    let data;
    try {
      const answer = await fetch(element.dataset.chart, { headers: { Accept: "application/json" } });
      if (!answer.ok) throw new Error(String(answer.status));
      data = await answer.json();
    } catch {
      if (!element.plot && notice) notice.textContent = notice.dataset.failed;
      return;
    }
    if (!data.at.length) {
      if (notice) notice.textContent = notice.dataset.empty;
      return;
    }
    if (notice) notice.hidden = true;
    if (element.plot && element.plot.series.length === columns(data).length) {
      element.plot.setData(columns(data));
      return;
    }
    paint(element, data, notice ? notice.dataset : {});
  }

  function paint(element, data, words) {
    element.plot?.destroy();
    element.data = data;
    element.plot = new uPlot(options(data, words, element.clientWidth), columns(data), element);
  }

  function repaint(element) {
    const notice = element.querySelector("[data-chart-words]");
    if (element.data) { paint(element, element.data, notice ? notice.dataset : {}); draw(element); }
  }

  function begin() {
    for (const element of document.querySelectorAll("[data-chart]:not([data-begun])")) {
      element.dataset.begun = "";
      draw(element);
      element.addEventListener("live", () => draw(element));
      new ResizeObserver(() => {
        if (element.plot && element.clientWidth !== element.plot.width) element.plot.setSize({ width: element.clientWidth, height: HEIGHT });
      }).observe(element);
    }
  }

  document.addEventListener("DOMContentLoaded", begin);
  document.addEventListener("htmx:afterSettle", begin); // a session that started while the page is open
  document.addEventListener("theme", () => document.querySelectorAll("[data-chart]").forEach(repaint));
})();

"use strict";
/* Draws the charts in the page's colours, starts the viewer, and marks the section that is being read. */

const pageData = JSON.parse(document.getElementById("page-data").textContent);

function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

function axisStyle() {
  return {
    gridcolor: colour("--grid"), linecolor: colour("--line"), zerolinecolor: colour("--line"),
    tickcolor: colour("--line"), ticks: "outside", ticklen: 4, showline: true, automargin: true,
  };
}

function themed(layout) {
  const styled = structuredClone(layout);
  styled.font = { family: "system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif", size: 13, color: colour("--text") };
  styled.paper_bgcolor = "rgba(0,0,0,0)";
  styled.plot_bgcolor = "rgba(0,0,0,0)";
  styled.modebar = { bgcolor: "rgba(0,0,0,0)", color: colour("--muted"), activecolor: colour("--text") };
  styled.hoverlabel = { bgcolor: colour("--surface"), bordercolor: colour("--line"), font: { color: colour("--text") } };
  for (const key of Object.keys(styled)) {
    if (/^[xy]axis\d*$/.test(key)) styled[key] = { ...axisStyle(), ...styled[key] };
  }
  return styled;
}

const NARROW = 560; // px; below it small multiples stand under each other
const PANEL = 210, GAP = 70; // px; height of a panel there, and what its title and axis take

function restacked(layout) {
  const panels = Object.keys(layout).filter((key) => /^xaxis\d*$/.test(key)).length;
  if (panels < 2) return layout;
  const title = (axis) => Object.keys(layout).filter((key) => key.startsWith(axis)).map((key) => layout[key].title)
    .find((one) => one && one.text);
  const names = [title("xaxis"), title("yaxis")];
  const height = panels * (PANEL + GAP) + layout.margin.t;
  const stacked = { ...layout, height, legend: { ...layout.legend, y: 1 + 34 / height } };
  stacked.annotations = layout.annotations.map((note, k) => ({ ...note, x: 0, y: 1 - k / panels }));
  for (let k = 0; k < panels; k += 1) {
    const suffix = k ? String(k + 1) : "", top = 1 - k / panels;
    stacked[`xaxis${suffix}`] = { ...layout[`xaxis${suffix}`], domain: [0, 1], title: names[0] };
    stacked[`yaxis${suffix}`] = {
      ...layout[`yaxis${suffix}`], domain: [top - PANEL / (PANEL + GAP) / panels, top], title: names[1],
    };
  }
  return stacked;
}

/* Charts are drawn when they come near the window: the library behind them takes a second to start. */

const drawn = new Set();

function startPlotly() {
  if (window.Plotly) return;
  const script = document.createElement("script");
  script.textContent = document.getElementById("plotly").textContent;
  document.head.append(script);  // runs at once
}

function shape(figure, target) {
  const narrow = target.clientWidth < NARROW;
  return { narrow, layout: narrow ? restacked(figure.layout) : figure.layout };
}

function drawChart(figure) {
  const target = document.getElementById(figure.id);
  if (!target) return;
  startPlotly();
  drawn.add(figure);
  const { narrow, layout } = shape(figure, target);
  const options = {
    responsive: true, displaylogo: false, displayModeBar: narrow ? false : "hover",
    modeBarButtons: [["toImage", "zoom2d", "pan2d", "resetScale2d"]],
  };
  Plotly.react(target, structuredClone(figure.data), themed(layout), options);
}

/* Room for every chart, so that nothing moves when one is drawn. */
function makeRoom() {
  for (const figure of pageData.figures) {
    const target = document.getElementById(figure.id);
    if (target) target.style.height = `${shape(figure, target).layout.height}px`;
  }
}

function drawNearCharts() {
  const figures = new Map(pageData.figures.map((figure) => [figure.id, figure]));
  const watcher = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      if (!entry.isIntersecting) continue;
      watcher.unobserve(entry.target);
      drawChart(figures.get(entry.target.id));
    }
  }, { rootMargin: "500px 0px" });
  document.querySelectorAll(".chart").forEach((chart) => watcher.observe(chart));
}

function redrawWhereNarrowChanges() {
  let narrow = null;
  window.addEventListener("resize", () => {
    const chart = document.querySelector(".chart");
    const now = chart !== null && chart.clientWidth < NARROW;
    if (narrow !== null && now !== narrow) { makeRoom(); drawn.forEach(drawChart); }
    narrow = now;
  });
}

let viewer = null;
let pictureRows = [];

function redraw() {
  drawn.forEach(drawChart);
  if (viewer) viewer.request();
  for (const row of pictureRows) row.redraw();
}

function followSections() {
  const links = new Map([...document.querySelectorAll("nav a")].map((a) => [a.hash.slice(1), a]));
  const watcher = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      if (!entry.isIntersecting) continue;
      links.forEach((link) => link.removeAttribute("aria-current"));
      const link = links.get(entry.target.id);
      if (link) link.setAttribute("aria-current", "true");
    }
  }, { rootMargin: "-10% 0px -75% 0px" });
  document.querySelectorAll("main section[id]").forEach((section) => watcher.observe(section));
}

document.addEventListener("DOMContentLoaded", () => {
  const root = document.getElementById("viewer");
  if (root && pageData.scenes.length) viewer = new StructureViewer(root, pageData.scenes, pageData.elements);
  pictureRows = [...document.querySelectorAll(".pictures")]
    .map((row) => new PictureRow(row, pageData.scenes, pageData.elements));
  makeRoom();
  drawNearCharts();
  redrawWhereNarrowChanges();
  followSections();
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
  window.addEventListener("beforeprint", () => {
    document.documentElement.classList.add("print");
    pageData.figures.forEach(drawChart);
    if (viewer) viewer.draw();
    for (const row of pictureRows) row.drawNow();
  });
  window.addEventListener("afterprint", () => { document.documentElement.classList.remove("print"); redraw(); });
});

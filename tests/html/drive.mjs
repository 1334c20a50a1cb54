// Drives a report in a real headless Chromium. `node drive.mjs MODULES CHROMIUM FILE [SHOTS]`: a folder `node_modules` with playwright-core
// and axe-core, the browser, the report, and a folder for screenshots. Prints what it measured; the first thing that is not as it should be
// ends it with an error.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const [, , modules, executablePath, file, shots] = process.argv;
const require = createRequire(join(modules, "drive.js"));
const { chromium } = require("playwright-core");
const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
const url = pathToFileURL(file).href;

const browser = await chromium.launch({
  executablePath,
  args: ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
});

let watched = [];

// A page whose console, requests and dialogs are watched.
async function open(options) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(20_000);
  const bad = [];
  const requests = [];
  watched = bad;
  page.on("console", (m) => { if (["error", "warning"].includes(m.type())) bad.push(m.text()); });
  page.on("pageerror", (e) => bad.push(e.message));
  page.on("dialog", (d) => { bad.push(`dialog ${d.message()}`); d.dismiss(); });
  page.on("request", (r) => requests.push(r.url()));
  const start = Date.now();
  await page.goto(url);
  if (options.javaScriptEnabled !== false) await page.waitForFunction(() => document.documentElement.dataset.ready === "true");
  const ms = Date.now() - start;
  const done = async () => {
    assert.deepEqual(bad, [], "the console");
    assert.deepEqual(requests, [url], "nothing is fetched");
    await context.close();
  };
  return { page, ms, done };
}

const shot = async (page, name, fullPage = false) => { if (shots) await page.screenshot({ path: join(shots, `${name}.png`), fullPage }); };

async function accessible(page, what) {
  await page.evaluate(axe);
  const found = await page.evaluate(async () => {
    const { violations } = await window.axe.run(document, { resultTypes: ["violations"] });
    return violations.map((v) => `${v.id}: ${v.help}: ${v.nodes.slice(0, 3).map((n) => n.html.slice(0, 160) + " " + (n.any[0]?.message ?? "")).join(" | ")}`);
  });
  assert.deepEqual(found, [], `axe, ${what}`);
}

const builds = async (page) => Number((await page.locator(".filters output").first().textContent()).split(" ")[0].replaceAll(",", ""));

async function inert(page) {
  const seen = await page.evaluate(() => ({
    scripts: document.querySelectorAll("script:not([type='application/json'])").length,
    data: document.querySelectorAll("section.builds > script.data[type='application/json']").length,
    sections: document.querySelectorAll("section.builds").length,
    foreign: document.querySelectorAll("img,iframe,object,embed,link,base,video,audio,form[action]").length,
    handlers: [...document.querySelectorAll("*")].filter((e) => [...e.attributes].some((a) => a.name.startsWith("on") || (a.name === "href" && !a.value.startsWith("#")))).length,
    pwned: window.pwned === undefined,
    controls: /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200b-\u200f\u202a-\u202e\u2066-\u2069]/.test(document.documentElement.textContent.replaceAll("\r", "")),
  }));
  assert.equal(seen.scripts, 1, "one script");
  assert.equal(seen.foreign + seen.handlers, 0, "nothing foreign");
  assert.equal(seen.data, seen.sections, "data of every heat map");
  assert.ok(seen.pwned && !seen.controls, "inert");
}

process.on("uncaughtException", (e) => { console.error(e, watched); process.exit(1); });

const report = { bytes: statSync(file).size };

// As a reader sees it, with a mouse.
{
  const { page, ms, done } = await open({ colorScheme: "light" });
  report.open_ms = ms;
  report.elements = await page.evaluate(() => document.querySelectorAll("*").length);
  await inert(page);
  await shot(page, "light");
  const answers = await page.locator(".answers dt").allTextContents();
  assert.deepEqual(answers.slice(0, 4), ["What is slow", "Why", "What to change", "How sure"]);
  const all = await builds(page);
  assert.ok(all > 0);
  const strip = page.locator(".strip").first();
  await strip.scrollIntoViewIfNeeded();
  // The event of that scroll comes with the next frame, and hides what the mouse shows.
  await page.evaluate(() => new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn))));
  const box = await strip.boundingBox();
  // The newest column in which the first step ran.
  const at = await page.evaluate(() => {
    const data = JSON.parse(document.querySelector(".heat").closest("section").querySelector("script.data").textContent);
    const n = data.pattern.length, columns = Math.min(500, n);
    const newest = data.pattern.findLastIndex((p) => "DIM".includes(data.patterns[p][0][0]));
    return (Math.floor(newest * columns / n) + 0.5) / columns;
  });
  const x = box.x + box.width * at, y = box.y + box.height - 3;
  // Hover: commit, cause, files.
  await page.mouse.move(x, y);
  const tip = page.locator(".tip").first();
  assert.ok(await tip.isVisible(), "hover shows a build");
  const text = await tip.textContent();
  assert.match(text, /\d{4}-\d\d-\d\d [0-9a-f]{7,}/, "its date and commit");
  assert.match(text, /line \d+, /, "its step");
  assert.match(text, /runs because|in doubt/, "its cause");
  await shot(page, "hover");
  // Click: filter.
  const start = Date.now();
  await page.mouse.click(x, y);
  await page.waitForFunction(() => document.querySelector(".filters select").value !== "");
  report.filter_ms = Date.now() - start;
  const some = await builds(page);
  assert.ok(some > 0 && some <= all, `${some} of ${all}`);
  assert.ok(await page.locator(".chosen").first().isVisible(), "the build stays");
  await shot(page, "filtered");
  await page.locator(".filters button[type=reset]").first().click();
  assert.equal(await builds(page), all);
  // A path that nothing has.
  await page.locator(".filters input").first().fill("no such path anywhere");
  assert.equal(await builds(page), 0);
  await page.locator(".filters input").first().fill("");
  assert.equal(await builds(page), all);
  // A row's name filters too, and again for all.
  const name = page.locator("button.row").first();
  await name.click();
  assert.equal(await name.getAttribute("aria-pressed"), "true");
  await name.click();
  assert.equal(await builds(page), all);
  await accessible(page, "light");
  await done();
}

// With the keyboard alone.
{
  const { page, done } = await open({ colorScheme: "light" });
  await page.keyboard.press("Tab");
  assert.equal(await page.evaluate(() => document.activeElement.className), "skip", "the skip link is first");
  const strips = page.locator("section.builds:has(.heat)").first().locator(".strip");
  const first = strips.first();
  await first.focus();
  await page.keyboard.press("End");
  const value = (s) => s.getAttribute("aria-valuetext");
  const newest = await value(first);
  await page.keyboard.press("ArrowLeft");
  assert.notEqual(await value(first), newest, "another build");
  if (await strips.count() > 1) {
    await page.keyboard.press("ArrowDown");
    assert.ok(await strips.nth(1).evaluate((e) => e === document.activeElement), "the next step");
    await page.keyboard.press("ArrowUp");
  }
  const outline = await first.evaluate((e) => getComputedStyle(e).outlineStyle);
  assert.notEqual(outline, "none", "focus is seen");
  await shot(page, "keyboard");
  await page.keyboard.press("Enter");
  assert.ok(await page.locator(".chosen").first().isVisible());
  const all = await page.evaluate(() => JSON.parse(document.querySelector(".heat").closest("section").querySelector("script.data").textContent).pattern.length);
  await page.keyboard.press("Escape");
  assert.equal(await builds(page), all);
  await done();
}

// Dark, by the system and by the button.
{
  const { page, done } = await open({ colorScheme: "dark" });
  const ground = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const dark = await ground();
  await accessible(page, "dark");
  await shot(page, "dark");
  await page.locator("button.theme").click();
  assert.notEqual(await ground(), dark, "the button changes the colours");
  await done();
}

// A telephone: the page itself does not scroll sideways.
{
  const { page, done } = await open({ colorScheme: "light", viewport: { width: 390, height: 844 } });
  const [wide, room] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
  assert.ok(wide <= room, `${wide} of ${room}`);
  await shot(page, "phone");
  await done();
}

// Paper.
{
  const { page, done } = await open({ colorScheme: "dark" });
  await page.emulateMedia({ media: "print" });
  assert.ok(!await page.locator(".filters").first().isVisible() && !await page.locator("button.theme").isVisible(), "no controls");
  assert.equal(await page.evaluate(() => getComputedStyle(document.body).backgroundColor), "rgb(255, 255, 255)");
  await shot(page, "print");
  const pdf = await page.pdf({ format: "A4", printBackground: true, ...(shots ? { path: join(shots, "print.pdf") } : {}) });
  assert.ok(pdf.length > 10_000);
  await done();
}

// Without script everything is there to read.
{
  const { page, done } = await open({ javaScriptEnabled: false });
  assert.ok(await page.locator(".strip path.itself").count() > 0);
  assert.ok(await page.locator(".list tbody tr").count() > 0);
  assert.ok(!await page.locator(".filters").first().isVisible());
  await shot(page, "no-script");
  await done();
}

await browser.close();
console.log(JSON.stringify(report));

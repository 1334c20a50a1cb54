//! The HTML report in a real browser: what `tests/html/drive.mjs` does and asks for, with a repository of hostile names, and with 5,000 builds.
//!
//! It needs `chromium`, `node`, and a folder `node_modules` with `playwright-core` and `axe-core`, which `CACHEPLAN_BROWSER_MODULES` names.
//! Where one of them is missing the tests say so and pass; with `CACHEPLAN_REQUIRE_BROWSER=1` they fail. `CACHEPLAN_BROWSER_SHOTS` names a
//! folder for screenshots.

#[path = "common/git.rs"]
mod git;

use cacheplan::report::detail::{
    ContextNode, ContextTree, Detail, DetailBuild, DetailCause, DetailStage, DetailStep, State,
};
use cacheplan::report::html;
use cacheplan::report::model::{
    Analysis, Baseline, History, HotPath, PlanRow, StepRow, Target, TargetReport, Wall,
};
use cacheplan::simulate::Verdict;
use git::Repo;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What drives the page.
struct Browser {
    chromium: PathBuf,
    modules: PathBuf,
}

/// The browser, or why there is none.
fn browser() -> Result<Browser, String> {
    let modules = std::env::var_os("CACHEPLAN_BROWSER_MODULES")
        .map(PathBuf::from)
        .ok_or("CACHEPLAN_BROWSER_MODULES names no node_modules")?;
    for package in ["playwright-core", "axe-core"] {
        if !modules.join(package).is_dir() {
            return Err(format!("{} lacks {package}", modules.display()));
        }
    }
    let version = Command::new("node").arg("--version").output();
    version.map_err(|e| format!("no node: {e}"))?;
    let chromium =
        std::env::var_os("CACHEPLAN_CHROMIUM").map_or("/usr/bin/chromium".into(), PathBuf::from);
    match chromium.is_file() {
        true => Ok(Browser { chromium, modules }),
        false => Err(format!("no {}", chromium.display())),
    }
}

fn browser_or_skip() -> Option<Browser> {
    match browser() {
        Ok(b) => Some(b),
        Err(why) => {
            let required = std::env::var("CACHEPLAN_REQUIRE_BROWSER").is_ok_and(|v| v == "1");
            assert!(!required, "a browser is required: {why}");
            println!("skipped: no browser here ({why})");
            eprintln!("skipped: no browser here ({why})");
            None
        }
    }
}

/// Drives a report and prints what was measured.
fn drive(browser: &Browser, file: &Path, name: &str) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/html/drive.mjs");
    let mut command = Command::new("node");
    command
        .arg(script)
        .arg(&browser.modules)
        .arg(&browser.chromium)
        .arg(file);
    if let Some(shots) = std::env::var_os("CACHEPLAN_BROWSER_SHOTS") {
        let shots = PathBuf::from(shots).join(name);
        std::fs::create_dir_all(&shots).expect("a folder for screenshots");
        std::fs::copy(file, shots.join("report.html")).expect("the report is kept");
        command.arg(shots);
    }
    let out = command.output().expect("node starts");
    let (said, wrong) = (
        String::from_utf8_lossy(&out.stdout),
        String::from_utf8_lossy(&out.stderr),
    );
    println!("{name}: {said}");
    assert!(out.status.success(), "{name}: {said}\n{wrong}");
}

/// No line of the page is a CI command, and nothing in it moves a cursor or turns text round.
fn prints_inertly(page: &str) {
    for one in page.split(['\n', '\r']) {
        assert!(!one.trim_start().starts_with("::"), "{one}");
        assert!(!one.contains("##["), "{one}");
    }
    let hidden = |c: char| c.is_control() && c != '\n' || ('\u{202a}'..='\u{202e}').contains(&c);
    assert!(!page.contains(hidden));
}

const HOSTILE: [&str; 12] = [
    "<script>window.pwned=1</script>",
    "</script><img src=x onerror=window.pwned=1>",
    "a|b`c`",
    "@octocat #12",
    "\u{1b}[31mred\u{1b}[2J",
    "::set-output name=x::y",
    "##[error]no",
    "\u{202e}gpj.exe",
    "line\nbreak",
    "\"onmouseover=window.pwned=1 x=\"",
    "&lt;&#60;<!-- ]]>",
    "javascript:window.pwned=1",
];

/// A repository whose names are all of that.
fn hostile() -> Repo {
    let repo = Repo::new();
    let dockerfile = "# <script>window.pwned=1</script> \u{202e} \u{1b}[31m\n# ::set-output name=x::y\nFROM debian:bookworm AS base\n\
        LABEL a=\"</pre></code><img src=x onerror=window.pwned=1>\"\nCOPY . /src\nRUN apt-get update && apt-get install -y gcc # @octocat <b>|`\n\
        RUN echo '##[error]</script><script>window.pwned=1</script>' && make\nFROM debian:bookworm\nCOPY --from=base /src /src\nRUN echo <<E\n::stop-commands::x\n<b>E\nE\n";
    std::fs::write(repo.root.join("Dockerfile"), dockerfile).expect("written");
    for (i, text) in HOSTILE.iter().enumerate() {
        let name = text.replace('/', "\u{2215}");
        let folder = repo.root.join(format!("dir {name}"));
        std::fs::create_dir_all(&folder).expect("a folder");
        std::fs::write(
            folder.join(format!("{i}{name}")),
            vec![b'x'; 100 + 3000 * i],
        )
        .expect("written");
        repo.git(["add", "-A"]);
        repo.git(["commit", "-qm", text]);
    }
    repo
}

#[test]
fn hostile_names_come_out_inert() {
    let repo = hostile();
    let out = tempfile::tempdir().expect("a folder");
    let file = out.path().join("report.html");
    let status = Command::new(env!("CARGO_BIN_EXE_cacheplan"))
        .args([
            "analyze",
            ".",
            "--no-timing",
            "--quiet",
            "--dot-git",
            "absent",
        ])
        .arg(format!("--format=html={}", file.display()))
        .current_dir(&repo.root)
        .env("CACHEPLAN_CACHE_DIR", "none")
        .env_remove("CACHEPLAN_COSTS")
        .status()
        .expect("the program starts");
    assert!(status.success());
    let page = std::fs::read_to_string(&file).expect("UTF-8");
    prints_inertly(&page);
    assert!(!page.contains("<img") && !page.contains("<script>window"));
    if let Some(browser) = browser_or_skip() {
        drive(&browser, &file, "hostile");
    }
}

/// Numbers without a pattern that are the same in every run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % n
    }
}

const BUILDS: usize = 5000;
const STEPS: usize = 30;

fn build(i: usize, numbers: &mut Numbers) -> DetailBuild {
    let start = numbers.below(STEPS + 6);
    let verdicts = (0..STEPS).map(|s| match s {
        s if s < start => Some(Verdict::Cached),
        s if s % 9 == 8 => Some(Verdict::Maybe),
        _ => Some(Verdict::Executed),
    });
    let cause = |s: usize, numbers: &mut Numbers| DetailCause {
        step: s,
        kind: if s == start { "content" } else { "parent" },
        paths: match s == start {
            true => (0..3)
                .map(|_| {
                    format!(
                        "src/module{}/file{}.rs",
                        numbers.below(60),
                        numbers.below(400)
                    )
                })
                .collect(),
            false => Vec::new(),
        },
        more: numbers.below(4) * usize::from(s == start),
        because_of: (s > start).then(|| s - 1),
    };
    DetailBuild {
        commit: format!(
            "{:08x}{:032x}",
            0x9e37_79b9_u32.wrapping_mul(i as u32 + 7),
            i
        ),
        date: format!(
            "20{:02}-{:02}-{:02}",
            10 + i / 360,
            1 + i / 30 % 12,
            1 + i % 28
        ),
        summary: format!(
            "Change number {i}: the subject of an ordinary commit, {}",
            HOSTILE[i % HOSTILE.len()]
        ),
        state: if i == 0 { State::Cold } else { State::Counted },
        verdicts: verdicts.collect(),
        causes: (start..STEPS).map(|s| cause(s, numbers)).collect(),
        work_s: (STEPS - start.min(STEPS)) as f64 * 4.0,
        plan_s: Some(((STEPS - start.min(STEPS)) / 2) as f64 * 4.0),
    }
}

fn step(i: usize, builds: &[DetailBuild]) -> StepRow {
    let runs = builds
        .iter()
        .skip(1)
        .filter(|b| b.verdicts[i] == Some(Verdict::Executed))
        .count();
    let maybe = builds
        .iter()
        .skip(1)
        .filter(|b| b.verdicts[i] == Some(Verdict::Maybe))
        .count();
    let n = BUILDS - 1;
    StepRow {
        work_s_per_build: (runs + maybe) as f64 / n as f64 * 4.0,
        caused_s_per_build: 1.0,
        roots: Vec::new(),
        id: format!("0.{i}"),
        name: format!(
            "[build {}/{STEPS}] RUN make part{i} {}",
            i + 1,
            HOSTILE[i % HOSTILE.len()]
        ),
        line: i as u32 + 1,
        executed: runs,
        cached: n - runs - maybe,
        maybe,
        rate: (runs + maybe) as f64 / n as f64,
        rate_interval: [0.1, 0.9],
        cost_s: 4.0,
        run_s: 4.0,
        cost_interval: [2.0, 9.0],
        cost_source: "prior",
        direct: runs / 10,
        inherited: runs - runs / 10,
        hot_paths: vec![HotPath {
            path: "src/".to_owned(),
            builds: runs / 10,
        }],
    }
}

/// A report of so many builds, as the commands would gather it.
fn large() -> Analysis {
    let mut numbers = Numbers(7);
    let builds: Vec<DetailBuild> = (0..BUILDS).map(|i| build(i, &mut numbers)).collect();
    let steps: Vec<StepRow> = (0..STEPS).map(|i| step(i, &builds)).collect();
    let work = builds.iter().skip(1).map(|b| b.work_s).sum::<f64>() / (BUILDS - 1) as f64;
    let wall = Wall {
        two: work,
        four: work,
        unlimited: work,
    };
    let node = |path: &str, bytes: u64, parent: usize, open: bool| ContextNode {
        path: path.to_owned(),
        bytes,
        files: 1,
        builds: bytes as usize % 4000,
        parent,
        open,
    };
    let mut nodes = vec![node("", 120_000, 0, true)];
    nodes.extend(
        HOSTILE
            .iter()
            .enumerate()
            .map(|(i, h)| node(h, 10_000 * (12 - i as u64), 0, false)),
    );
    let detail = Detail {
        dockerfile: (0..STEPS)
            .map(|i| {
                format!(
                    "RUN make part{i} {}\n",
                    HOSTILE[i % HOSTILE.len()].replace('\n', " ")
                )
            })
            .collect(),
        steps: (0..STEPS)
            .map(|i| DetailStep {
                stage: 0,
                keyword: "RUN",
                line: i as u32 + 1,
                end_line: i as u32 + 1,
            })
            .collect(),
        stages: vec![DetailStage {
            name: Some(HOSTILE[0].to_owned()),
            image: Some(HOSTILE[1].to_owned()),
            line: 1,
            reachable: true,
        }],
        edges: Vec::new(),
        target: 0,
        builds,
        context: ContextTree { nodes, git: true },
        other_files: 0,
    };
    let plan = PlanRow {
        changes: cacheplan::report::model::PlanChanges::default(),
        safety: "assumed",
        work_s_per_build: work / 2.0,
        critical_path_s_per_build: work / 2.0,
        wall_s_per_build: wall,
        jobs: None,
        cold_s: 120.0,
        image_bytes_estimate: None,
        pushed_bytes_per_build: None,
        saving: 0.5,
        held_out_saving: Some(0.4),
        bound_s: work / 2.0,
        optimal: true,
        edits: vec![cacheplan::report::model::EditRow {
            rewrite: "reorder",
            safety: "assumed",
            line: 3,
            end_line: 4,
            why: HOSTILE.join(" "),
            assumptions: vec![],
        }],
        assumptions: HOSTILE.iter().map(|h| (*h).to_owned()).collect(),
        certificate: Vec::new(),
        dockerfile: String::new(),
        dockerignore: None,
        dockerignore_file: None,
        diff: format!(
            "--- a/{0}\n+++ b/{0}\n@@ -1 +1 @@\n-::set-output name=a::{0}\n+{1}\n",
            HOSTILE[0], HOSTILE[4]
        ),
        allowed: "assumed",
    };
    let report = TargetReport {
        context_bytes: None,
        source: cacheplan::source::SourceFile::new("Dockerfile", Vec::new()),
        course: Vec::new(),
        file: HOSTILE[1].to_owned(),
        context: HOSTILE[0].to_owned(),
        target: Some(HOSTILE[7].to_owned()),
        origin: "discovered".to_owned(),
        history: History {
            commits: BUILDS,
            builds: BUILDS - 1,
            from: "0".repeat(40),
            to: "f".repeat(40),
            builds_with_any_change: BUILDS - 1,
            refused: 0,
            skipped: 0,
            policy: "local".to_owned(),
        },
        baseline: Baseline {
            work_s_per_build: work,
            work_s_per_build_min: work * 0.9,
            critical_path_s_per_build: work,
            wall_s_per_build: wall,
            cold_s: 120.0,
            image_bytes_estimate: None,
            pushed_bytes_per_build: None,
            hit_rate: 0.5,
            jobs: None,
        },
        base: None,
        jobs: None,
        trend: None,
        steps,
        plans: vec![plan],
        findings: vec![],
        diagnostics: vec![],
        timing: None,
        detail: Some(Box::new(detail)),
    };
    Analysis {
        schema: "cacheplan.analyze/1",
        targets: vec![Target::Done(Box::new(report))],
        not_analysed: HOSTILE.iter().map(|h| (*h).to_owned()).collect(),
    }
}

#[test]
fn five_thousand_builds_stay_small_and_quick() {
    let document = large();
    let page = html::analysis(&document);
    assert_eq!(
        page,
        html::analysis(&document),
        "the same input gives the same bytes"
    );
    prints_inertly(&page);
    println!("{BUILDS} builds of {STEPS} steps: {} bytes", page.len());
    assert!(page.len() < 3_000_000, "{}", page.len());
    let out = tempfile::tempdir().expect("a folder");
    let file = out.path().join("report.html");
    std::fs::write(&file, &page).expect("written");
    if let Some(browser) = browser_or_skip() {
        drive(&browser, &file, "large");
    }
}

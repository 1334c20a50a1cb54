//! Hand-made documents for the renderers' tests.

use super::comparison::*;
use super::model::*;

/// A step of a build of 499, by its figures.
fn step(
    name: &str,
    line: u32,
    direct: usize,
    inherited: usize,
    cost_s: f64,
    paths: &[(&str, usize)],
) -> StepRow {
    let executed = direct + inherited;
    StepRow {
        id: format!("0.{line}"),
        name: name.to_owned(),
        line,
        executed,
        cached: 499 - executed,
        maybe: 0,
        rate: executed as f64 / 499.0,
        rate_interval: [0.0, 1.0],
        cost_s,
        run_s: cost_s,
        cost_interval: [cost_s / 2.0, cost_s * 2.0],
        cost_source: "prior",
        direct,
        inherited,
        work_s_per_build: executed as f64 / 499.0 * cost_s,
        caused_s_per_build: 0.0,
        roots: Vec::new(),
        hot_paths: paths
            .iter()
            .map(|(path, builds)| HotPath {
                path: (*path).to_owned(),
                builds: *builds,
            })
            .collect(),
    }
}

/// One stage behind the other.
fn wall(work: f64) -> Wall {
    Wall {
        two: work,
        four: work,
        unlimited: work,
    }
}

pub fn baseline(work: f64) -> Baseline {
    Baseline {
        work_s_per_build: work,
        work_s_per_build_min: work,
        critical_path_s_per_build: work * 0.8,
        wall_s_per_build: wall(work),
        cold_s: 180.0,
        image_bytes_estimate: None,
        pushed_bytes_per_build: None,
        hit_rate: 0.61,
        jobs: None,
    }
}

pub fn plan() -> PlanRow {
    PlanRow {
        safety: "assumed",
        work_s_per_build: 31.0,
        critical_path_s_per_build: 28.0,
        wall_s_per_build: wall(31.0),
        jobs: None,
        cold_s: 182.0,
        image_bytes_estimate: None,
        pushed_bytes_per_build: None,
        saving: 1.0 - 31.0 / 73.2,
        held_out_saving: Some(0.55),
        bound_s: 31.0,
        optimal: true,
        edits: vec![EditRow {
            rewrite: "split-copy",
            safety: "assumed",
            line: 6,
            end_line: 7,
            why: "npm ci reads only the two package files, so they can come before the sources"
                .to_owned(),
            assumptions: vec![],
        }],
        assumptions: vec!["npm ci reads only package.json, package-lock.json, .npmrc".to_owned()],
        certificate: Vec::new(),
        dockerfile: String::new(),
        dockerignore: None,
        dockerignore_file: None,
        diff: super::diff::unified(
            b"FROM node:22\nCOPY . .\nRUN npm ci\nRUN npm run build\n",
            b"FROM node:22\nCOPY package*.json ./\nRUN npm ci\nCOPY . .\nRUN npm run build\n",
            "Dockerfile",
        ),
        allowed: "assumed",
        changes: PlanChanges::default(),
    }
}

/// A plan that leaves everything as it is.
pub fn no_plan() -> PlanRow {
    PlanRow {
        safety: "proven",
        work_s_per_build: 73.2,
        critical_path_s_per_build: 73.2 * 0.8,
        wall_s_per_build: wall(73.2),
        saving: 0.0,
        held_out_saving: None,
        bound_s: 73.2,
        edits: vec![],
        assumptions: vec![],
        diff: String::new(),
        ..plan()
    }
}

pub fn warning() -> DiagnosticRow {
    DiagnosticRow {
        severity: "warning",
        code: "build/copy-missing".to_owned(),
        message: "COPY finds no file\u{1b}[2J".to_owned(),
        help: None,
        file: None,
        line: Some(9),
        column: Some(6),
        end_line: None,
        end_column: None,
        spot: Spot::default(),
    }
}

pub fn target() -> TargetReport {
    TargetReport {
        file: "Dockerfile".to_owned(),
        context: ".".to_owned(),
        target: None,
        origin: "discovered".to_owned(),
        context_bytes: None,
        history: History {
            commits: 500,
            builds: 499,
            from: "abc1234".to_owned(),
            to: "0123456789abcdef0123456789abcdef01234567".to_owned(),
            builds_with_any_change: 340,
            refused: 0,
            skipped: 0,
            policy: "local".to_owned(),
        },
        baseline: baseline(73.2),
        jobs: None,
        trend: None,
        base: None,
        steps: vec![
            step("[1/5] FROM node:22", 1, 0, 0, 10.0, &[]),
            step("[2/5] WORKDIR /app", 2, 0, 0, 0.1, &[]),
            step(
                "[3/5] COPY . .",
                6,
                200,
                10,
                0.5,
                &[
                    ("src/", 150),
                    ("README.md", 40),
                    ("package.json", 12),
                    ("x", 1),
                ],
            ),
            step(
                "[4/5] RUN npm ci && npm run a-very-long-script-name | tee log.txt",
                7,
                0,
                210,
                45.0,
                &[],
            ),
            step("[5/5] RUN npm run build", 8, 0, 210, 700.0, &[]),
        ],
        plans: vec![plan()],
        findings: vec![],
        diagnostics: vec![],
        timing: None,
        source: crate::source::SourceFile::new(
            "Dockerfile",
            "FROM node:22\n\n\n\nWORKDIR /app\nCOPY . .\nRUN npm ci && npm run a-very-long-script-name\nRUN npm run build\n",
        ),
        course: (0..499).map(|i| f64::from(i % 7) * 20.0).collect(),
        detail: None,
    }
}

pub fn analysis(target: TargetReport) -> Analysis {
    Analysis {
        schema: "cacheplan.analyze/1",
        targets: vec![Target::Done(Box::new(target))],
        not_analysed: vec![],
    }
}

pub fn comparison() -> Comparison {
    let variant = |name: &str, work| Variant {
        name: name.to_owned(),
        file: name.to_owned(),
        policy: "local".to_owned(),
        figures: baseline(work),
        cost_sources: [("prior", 4)].into(),
        measured: None,
        modelled_beside: None,
    };
    let hash = |n: usize| format!("{n:02}").repeat(20);
    let step = |text: &str, a_s: f64, b_s: f64| StepDifference {
        text: text.to_owned(),
        a_step: (a_s > 0.0).then(|| "0.3".to_owned()),
        b_step: (b_s > 0.0).then(|| "0.4".to_owned()),
        a_s,
        b_s,
        cost_source: "prior",
        maybe: false,
    };
    let group = |n: usize, builds: usize, steps: Vec<StepDifference>| DifferenceRow {
        commit: hash(n),
        summary: format!("commit {n}"),
        a_s: 41.0,
        b_s: 41.0 + steps.iter().map(|s| s.b_s - s.a_s).sum::<f64>(),
        builds,
        commits: (0..builds).map(|i| hash((n + i) % 100)).collect(),
        steps,
    };
    Comparison {
        schema: "cacheplan.compare/1",
        variants: vec![
            variant("Dockerfile", 41.0),
            variant("HEAD~1:Docker|file @x", 31.0),
        ],
        pairs: vec![Pair {
            a: "Dockerfile".to_owned(),
            b: "HEAD~1:Docker|file @x".to_owned(),
            saving: 1.0 - 31.0 / 41.0,
            interval: [0.2, 0.28],
            wins: 120,
            losses: 3,
            ties: 376,
            differing: vec![
                group(
                    7,
                    120,
                    vec![step("RUN npm ci", 15.0, 0.0), step("COPY . .", 0.1, 0.2)],
                ),
                group(8, 3, vec![step("COPY package.json ./", 0.0, 0.1)]),
            ],
            differing_left_out: 0,
            measured: None,
            modelled_beside: None,
        }],
        builds: 499,
        policy: "local".to_owned(),
        per_build: (0..499)
            .map(|n| BuildRow {
                commit: hash(n % 100),
                work_s: vec![41.0, if n % 2 == 0 { 41.0 } else { 21.0 }],
            })
            .collect(),
    }
}

/// The same with two builds measured.
pub fn measured_comparison() -> Comparison {
    let mut c = comparison();
    for (v, scale) in c.variants.iter_mut().zip([1.0, 0.5]) {
        let build = |work_s: f64| MeasuredBuild {
            commit: "ab".repeat(20),
            work_s: work_s * scale,
            wall_s: work_s * scale + 0.5,
            failed: None,
            steps: vec![MeasuredStep {
                name: "[2/3] RUN npm ci".to_owned(),
                seconds: work_s * scale,
            }],
        };
        v.measured = Some(MeasuredVariant {
            builder: "docker 28.5".to_owned(),
            apart: "all steps",
            found_cached: 0,
            builds: 2,
            work_s: Spread::of(&[10.0 * scale, 12.0 * scale]),
            wall_s: Spread::of(&[10.5 * scale, 12.5 * scale]),
            cold_s: Some(60.0),
            cold_wall_s: Some(61.0),
            per_build: vec![build(60.0), build(10.0), build(12.0)],
        });
        v.modelled_beside = Some(ModelledVariant {
            work_s: Spread::of(&[41.0 * scale, 41.0 * scale]),
            cold_s: Some(180.0),
            per_build: vec![180.0, 41.0, 41.0],
        });
    }
    c.pairs[0].measured = Some(MeasuredPair {
        builds: 2,
        saving: 0.5,
        interval: [0.45, 0.55],
        wall_saving: 0.4,
        wall_interval: [0.3, 0.5],
    });
    c.pairs[0].modelled_beside = Some(ModelledPair {
        saving: 0.5,
        interval: [0.5, 0.5],
    });
    c
}

//! The loop and the comparison, with a builder that says what it is told to.

use super::docker::outcome;
use super::*;
use crate::cost::log::{Log, LogFormat, LogStep, Seen};
use crate::simulate::Verdict;
use std::cell::RefCell;

/// Plays outcomes back and notes the requests.
struct Mock {
    outcomes: RefCell<Vec<Result<Outcome, BuilderError>>>,
    no_cache: RefCell<Vec<bool>>,
}

impl Builder for Mock {
    fn version(&self) -> Result<String, BuilderError> {
        Ok("mock".to_owned())
    }

    fn build(&self, request: &Request) -> Result<Outcome, BuilderError> {
        self.no_cache.borrow_mut().push(request.no_cache);
        self.outcomes.borrow_mut().remove(0)
    }

    fn image(&self, _: &Request, _: &Path) -> Result<Made, BuilderError> {
        unreachable!("predictions need no image")
    }
}

fn mock(outcomes: Vec<Result<Outcome, BuilderError>>) -> Mock {
    Mock {
        outcomes: RefCell::new(outcomes),
        no_cache: RefCell::default(),
    }
}

/// One step of which every build but the first is predicted cached, or what a text says: a letter a
/// build, `x` executed, `c` cached, `m` maybe, `f` refused, `l` refused when run, `-` no Dockerfile.
struct Line(&'static str);

impl Job for Line {
    type Error = ();

    fn builds(&self) -> usize {
        self.0.len()
    }

    fn predict(&self, without: &[usize]) -> Result<Vec<Predicted>, ()> {
        let one = |(i, c): (usize, char)| {
            let verdict = match c {
                'x' => Verdict::Executed,
                'm' => Verdict::Maybe,
                _ => Verdict::Cached,
            };
            let step = PredictedStep {
                id: "0.1".to_owned(),
                name: "[2/2] RUN a".to_owned(),
                verdict,
            };
            Predicted {
                steps: vec![step],
                fails: matches!(c, 'f' | 'l').then(|| "no".to_owned()),
                fails_when_run: c == 'l',
                skipped: c == '-' || without.contains(&i),
            }
        };
        Ok(self.0.chars().enumerate().map(one).collect())
    }

    fn prepare(&self, _: usize) -> Result<(Request, Box<dyn std::any::Any>), ()> {
        Ok((Request::default(), Box::new(())))
    }
}

fn log(seen: Seen) -> Log {
    let step = |name: &str, seen: Seen| LogStep {
        name: name.to_owned(),
        seen,
        seconds: None,
        line: 1,
        parts: Vec::new(),
    };
    Log {
        format: LogFormat::RawJson,
        steps: vec![
            step("[internal] load build context", Seen::Ran),
            step("[1/2] FROM a", Seen::Ran),
            step("[2/2] RUN a", seen),
        ],
        error: None,
        notes: Vec::new(),
        last_words: Vec::new(),
    }
}

fn built(seen: Seen) -> Result<Outcome, BuilderError> {
    Ok(Outcome {
        log: log(seen),
        error: None,
    })
}

fn refused(why: &str) -> Result<Outcome, BuilderError> {
    Ok(Outcome {
        log: log(Seen::NotStarted),
        error: Some(why.to_owned()),
    })
}

fn limits(empty_cache: bool, keep_going: bool) -> Limits {
    Limits {
        empty_cache,
        keep_going,
        timeout: Duration::from_secs(1),
    }
}

fn tally(mock: &Mock, line: &'static str, limits: Limits) -> Tally {
    match run(mock, &Line(line), limits, &mut |_, _| {}) {
        Ended::Done(tally) => tally,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_first_build_fills_the_cache_and_what_others_left_is_told_apart() {
    let all = || {
        vec![
            built(Seen::Ran),
            built(Seen::Cached),
            built(Seen::Cached),
            built(Seen::Ran),
        ]
    };
    let m = mock(all());
    let t = tally(&m, "xcxc", limits(false, false));
    assert_eq!(*m.no_cache.borrow(), [true, false, false, false]);
    assert_eq!((t.builds, t.steps, t.agree), (3, 3, 1));
    // Was to run, and something older was there; was to be cached, and ran: that is wrong.
    assert_eq!(t.older_records.len(), 1);
    assert_eq!(t.older_records[0].build, 2);
    assert_eq!(t.wrong.len(), 1);
    assert_eq!(t.wrong[0].build, 3);
    let m = mock(all());
    let t = tally(&m, "xcxc", limits(true, false));
    assert_eq!(*m.no_cache.borrow(), [false; 4]);
    assert_eq!((t.builds, t.agree, t.wrong.len()), (4, 2, 2));
    assert!(t.older_records.is_empty());
}

#[test]
fn refusals_count_where_both_sides_agree_on_them() {
    let m = mock(vec![
        refused("no such file"),
        built(Seen::Ran),
        refused("not found"),
    ]);
    let t = tally(&m, "fx-c", limits(false, false));
    // The first build that comes to an end fills the cache.
    assert_eq!(*m.no_cache.borrow(), [true, true, false]);
    assert_eq!((t.refused, t.skipped, t.builds), (1, 1, 0));
    assert_eq!(t.wrong.len(), 1);
    assert_eq!(t.wrong[0].seen, "not found");
    let m = mock(vec![built(Seen::Ran)]);
    let t = tally(&m, "f", limits(true, false));
    assert_eq!(t.wrong[0].predicted, "refused: no");
    // A step that fails when it is run is not run where an older result is cached.
    let m = mock(vec![built(Seen::Ran), built(Seen::Cached)]);
    let t = tally(&m, "xl", limits(false, false));
    assert_eq!((t.wrong.len(), t.older_records.len()), (0, 1));
    let m = mock(vec![built(Seen::Ran), built(Seen::Cached)]);
    let t = tally(&m, "xl", limits(true, false));
    assert_eq!((t.wrong.len(), t.older_records.len()), (1, 0));
}

#[test]
fn a_command_that_fails_is_no_difference() {
    let why = "process \"/bin/sh -c a\" did not complete successfully: exit code: 1";
    let m = mock(vec![refused(why), built(Seen::Cached)]);
    let t = tally(&m, "xx", limits(true, false));
    assert_eq!((t.failed.len(), t.wrong.len()), (1, 0));
    // Its results may be there, whoever predicts otherwise.
    assert_eq!(t.older_records.len(), 1);
}

#[test]
fn a_builder_that_gives_up_ends_it_unless_told_to_go_on() {
    let all = || vec![Err(BuilderError::Timeout(1)), built(Seen::Ran)];
    let ended = run(
        &mock(all()),
        &Line("xx"),
        limits(true, false),
        &mut |_, _| {},
    );
    assert!(matches!(
        ended,
        Ended::Builder(0, BuilderError::Timeout(1), _)
    ));
    let t = tally(&mock(all()), "xx", limits(true, true));
    assert_eq!((t.failed.len(), t.agree), (1, 1));
    let gone = BuilderError::NotStarted {
        builder: "mock",
        reason: "gone".to_owned(),
    };
    let ended = run(
        &mock(vec![Err(gone)]),
        &Line("x"),
        limits(true, true),
        &mut |_, _| {},
    );
    assert!(matches!(
        ended,
        Ended::Builder(0, BuilderError::NotStarted { .. }, _)
    ));
}

#[test]
fn equal_steps_of_two_stages_are_one_vertex() {
    let step = |id: &str, name: &str, verdict| PredictedStep {
        id: id.to_owned(),
        name: name.to_owned(),
        verdict,
    };
    let predicted = Predicted {
        steps: vec![
            step("0.0", "[a 1/2] FROM x", Verdict::Executed),
            step("0.1", "[a 2/2] RUN same", Verdict::Cached),
            step("1.1", "[b 2/3] RUN same", Verdict::Cached),
            step("1.2", "[b 3/3] RUN unsure", Verdict::Maybe),
            step("2.1", "[c 2/2] RUN gone", Verdict::Executed),
        ],
        ..Predicted::default()
    };
    let seen = |name: &str, seen| LogStep {
        name: name.to_owned(),
        seen,
        seconds: None,
        line: 1,
        parts: Vec::new(),
    };
    let log = Log {
        format: LogFormat::RawJson,
        steps: vec![
            seen("[a 2/2] RUN same", Seen::Cached),
            seen("[b 3/3] RUN unsure", Seen::Ran),
            seen("[b 3/3] LINK RUN unsure", Seen::Ran),
            seen("[d 2/2] RUN more", Seen::Ran),
        ],
        error: None,
        notes: Vec::new(),
        last_words: Vec::new(),
    };
    let mut t = Tally::default();
    t.add(0, &predicted, &log, false);
    assert_eq!((t.steps, t.agree, t.maybe, t.merged), (4, 2, 1, 1));
    let wrong: Vec<_> = t
        .wrong
        .iter()
        .map(|w| (w.name.as_str(), w.seen.as_str()))
        .collect();
    assert_eq!(
        wrong,
        [
            ("[c 2/2] RUN gone", "not in the build"),
            ("[d 2/2] RUN more", "executed")
        ]
    );
}

#[test]
fn output_of_the_client_is_understood() {
    let batch = r#"{"vertexes":[{"digest":"a","name":"[1/1] RUN a","started":"2026-01-02T10:00:00Z","completed":"2026-01-02T10:00:01Z"}]}"#;
    let of = |tail: &str, success| outcome(&format!("{batch}\n{tail}\n"), success);
    assert!(of("", true).is_ok_and(|o| o.error.is_none()));
    let failed = of("ERROR: failed to solve: boom", false).expect("it ended");
    assert_eq!(
        failed.error.as_deref(),
        Some("ERROR: failed to solve: boom")
    );
    // What the step printed last is told with it.
    let words = r#"{"vertexes":[{"digest":"a","name":"[1/1] RUN a","started":"2026-01-02T10:00:00Z","error":"exit code: 1"}],"logs":[{"vertex":"b","data":"bm8K"},{"vertex":"a","data":"MQoyCjMK"},{"vertex":"a","data":"NAo1Cg=="}]}"#;
    let failed = of(&format!("{words}\nERROR: boom"), false).expect("it ended");
    assert_eq!(
        failed.error.as_deref(),
        Some("ERROR: boom (it printed: 2 / 3 / 4 / 5)")
    );
    let fault = of("ERROR: failed to commit abc", false);
    assert!(matches!(fault, Err(BuilderError::Fault(_))));
    let usage = outcome(
        "unknown flag: --x\n\nRun 'docker buildx build --help' for more information\n",
        false,
    );
    assert!(
        matches!(&usage, Err(BuilderError::Fault(why)) if why == "unknown flag: --x"),
        "{usage:?}"
    );
    let gone = outcome("ERROR: Cannot connect to the Docker daemon at x\n", false);
    assert!(matches!(gone, Err(BuilderError::NotStarted { .. })));
    assert!(matches!(
        outcome("nonsense\n", false),
        Err(BuilderError::Fault(_))
    ));
}

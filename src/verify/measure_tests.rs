//! Measuring, with a builder that says what it is told to.

use super::*;
use crate::cost::log::{Log, LogFormat, LogStep, Seen};
use std::any::Any;
use std::cell::RefCell;

/// Notes what it is asked, and answers with the steps of a text: a letter a step, `x` ran, `c` cached.
struct Mock {
    keeps: bool,
    triggers: bool,
    asked: RefCell<Vec<String>>,
    fails: bool,
}

fn log(steps: &[(&str, Seen)]) -> Log {
    let step = |(name, seen): &(&str, Seen)| LogStep {
        name: (*name).to_owned(),
        seen: *seen,
        seconds: Some(2.0),
        line: 1,
        parts: Vec::new(),
    };
    Log {
        format: LogFormat::RawJson,
        steps: steps.iter().map(step).collect(),
        error: None,
        notes: Vec::new(),
        last_words: Vec::new(),
    }
}

impl Builder for Mock {
    fn version(&self) -> Result<String, BuilderError> {
        Ok("mock".to_owned())
    }

    fn build(&self, request: &Request) -> Result<Outcome, BuilderError> {
        if self.fails {
            return Err(BuilderError::Timeout(1));
        }
        self.asked
            .borrow_mut()
            .push(format!("build {}", request.flags.join(" ")));
        let steps = [
            ("[internal] load build context", Seen::Ran),
            ("[1/3] FROM a", Seen::Ran),
            ("[2/3] COPY . .", Seen::Cached),
            ("[3/3] RUN a", Seen::Ran),
            ("exporting to image", Seen::Ran),
        ];
        Ok(Outcome {
            log: log(&steps),
            error: None,
        })
    }

    fn image(&self, _: &Request, _: &Path) -> Result<Made, BuilderError> {
        unreachable!("nothing is compared")
    }
}

impl Store for Mock {
    fn keeps_images(&self, _: &[String]) -> bool {
        self.keeps
    }

    fn keep(&self, request: &Request, name: &str) -> Result<Outcome, BuilderError> {
        let text = std::fs::read_to_string(&request.dockerfile).expect("written");
        let asked = format!("keep {name} {}", text.replace('\n', ";"));
        self.asked.borrow_mut().push(asked);
        let mut steps = vec![
            ("[1/2] FROM a", Seen::Ran),
            ("[2/2] COPY mark /.cacheplan-measure", Seen::Ran),
        ];
        if self.triggers {
            steps.push(("[1/2] ONBUILD COPY . .", Seen::Ran));
        }
        Ok(Outcome {
            log: log(&steps),
            error: None,
        })
    }

    fn discard(&self, name: &str) {
        self.asked.borrow_mut().push(format!("discard {name}"));
    }
}

struct Two;

impl Series for Two {
    type Error = ();

    fn builds(&self) -> usize {
        3
    }

    fn prepare(&self, build: usize) -> Result<Option<(Request, Box<dyn Any>)>, ()> {
        let request = Request {
            flags: vec!["--own".to_owned()],
            ..Request::default()
        };
        Ok((build != 1).then(|| (request, Box::new(()) as Box<dyn Any>)))
    }
}

/// What was asked, the builds that were timed, and whether all steps were kept apart.
fn run(mock: &Mock, images: &[&str]) -> (Vec<String>, Vec<Timed>, bool) {
    let images: Vec<String> = images.iter().map(|i| (*i).to_owned()).collect();
    let temp = tempfile::tempdir().expect("a folder");
    let apart = Apart::new(
        mock,
        &Bases {
            images: &images,
            mark: "m1",
            flags: &[],
            temp: temp.path(),
            timeout: Duration::from_secs(1),
            one_platform: true,
        },
    )
    .expect("works");
    let mut timed = Vec::new();
    let ended = measure(&apart, &Two, Duration::from_secs(1), &mut |t| timed.push(t));
    assert!(ended.is_ok() != mock.fails);
    let complete = apart.complete;
    drop(apart);
    (mock.asked.take(), timed, complete)
}

fn mock(keeps: bool, triggers: bool) -> Mock {
    Mock {
        keeps,
        triggers,
        asked: RefCell::default(),
        fails: false,
    }
}

#[test]
fn twins_stand_in_for_images_and_are_taken_away() {
    let (asked, timed, complete) = run(&mock(true, false), &["a:1", "b:2"]);
    assert!(complete);
    let flags = "--build-arg BUILDKIT_CACHE_MOUNT_NS=m1 --build-context a:1=docker-image://cacheplan-measure:m1-0 --build-context b:2=docker-image://cacheplan-measure:m1-1 --own";
    assert_eq!(
        asked,
        [
            "keep cacheplan-measure:m1-0 FROM a:1;COPY mark /.cacheplan-measure;",
            "keep cacheplan-measure:m1-1 FROM b:2;COPY mark /.cacheplan-measure;",
            &format!("build {flags}"),
            &format!("build {flags}"),
            "discard cacheplan-measure:m1-0",
            "discard cacheplan-measure:m1-1",
        ]
    );
    let builds: Vec<usize> = timed.iter().map(|t| t.build).collect();
    assert_eq!(builds, [0, 2]);
    assert_eq!(timed[0].ran, [("[3/3] RUN a".to_owned(), 2.0)]);
    assert_eq!(timed[0].cached, ["COPY . ."]);
}

#[test]
fn without_twins_the_host_name_keeps_runs_apart() {
    for (mock, images) in [
        (mock(false, false), ["a:1"]),
        (mock(true, true), ["a:1"]),
        (mock(true, false), ["a\nRUN evil"]),
    ] {
        let (asked, _, complete) = run(&mock, &images);
        assert!(!complete);
        let builds: Vec<&String> = asked.iter().filter(|a| a.ends_with("--own")).collect();
        assert_eq!(builds.len(), 2, "{asked:?}");
        for build in builds {
            assert!(build.contains("BUILDKIT_SANDBOX_HOSTNAME=m1"), "{build}");
            assert!(!build.contains("--build-context"), "{build}");
        }
        let count = |word: &str| asked.iter().filter(|a| a.starts_with(word)).count();
        assert_eq!(count("keep"), count("discard"), "{asked:?}");
    }
}

#[test]
fn a_builder_that_gives_up_ends_it() {
    let failing = Mock {
        fails: true,
        ..mock(true, false)
    };
    let (asked, timed, _) = run(&failing, &["a:1"]);
    assert_eq!(timed, []);
    assert_eq!(
        asked.last().map(String::as_str),
        Some("discard cacheplan-measure:m1-0")
    );
}

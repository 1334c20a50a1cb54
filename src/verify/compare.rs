//! One build's progress against what was predicted of it.
//!
//! Steps are matched by stage and number. An equal step of another stage is the same vertex to the
//! builder, shown under one of them only, so a place that is not shown is looked up by its text; FROM
//! is left out, since the builder's word on it says nothing (an image it has is looked at every time).

use crate::cost::log::{Log, Seen, Title, title};
use crate::simulate::Verdict;
use std::collections::{BTreeMap, BTreeSet};

/// What is predicted of one build.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Predicted {
    /// Its steps.
    pub steps: Vec<PredictedStep>,
    /// The builder refuses it, with a message like this.
    pub fails: Option<String>,
    /// It refuses it only when it runs the step, which it does not where the result is cached.
    pub fails_when_run: bool,
    /// There is nothing to build: the commit has no Dockerfile.
    pub skipped: bool,
}

/// What is predicted of one step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PredictedStep {
    /// `stage.instruction`.
    pub id: String,
    /// The builder's name of it.
    pub name: String,
    /// Executed, cached or maybe.
    pub verdict: Verdict,
}

/// One difference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Which build, counted from 0.
    pub build: usize,
    /// The step's id; none where a whole build or an unknown step is meant.
    pub step: Option<String>,
    /// The step's name, empty for a whole build.
    pub name: String,
    /// What was predicted.
    pub predicted: String,
    /// What the builder did.
    pub seen: String,
}

/// Counts over builds, and every difference.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Builds compared step by step.
    pub builds: usize,
    /// Builds that both sides refuse.
    pub refused: usize,
    /// Builds without a Dockerfile.
    pub skipped: usize,
    /// Steps compared.
    pub steps: usize,
    /// Steps with a definite prediction that is right.
    pub agree: usize,
    /// Steps whose prediction is `maybe`.
    pub maybe: usize,
    /// Steps shown under an equal one of another stage.
    pub merged: usize,
    /// Every difference that is one.
    pub wrong: Vec<Difference>,
    /// Steps that were to run and were cached, where results of other builds could be the reason.
    pub older_records: Vec<Difference>,
    /// Builds that came to no end to compare, and why.
    pub failed: Vec<Difference>,
}

impl Tally {
    /// Compares one build. `older`: results that the prediction does not know of may be in the cache.
    pub fn add(&mut self, build: usize, predicted: &Predicted, log: &Log, older: bool) {
        let mut by_place: BTreeMap<(&str, u32), (&str, bool)> = BTreeMap::new();
        let mut by_text: BTreeMap<&str, BTreeSet<bool>> = BTreeMap::new();
        for step in &log.steps {
            let cached = match step.seen {
                Seen::Cached => true,
                Seen::Ran | Seen::Failed => false,
                Seen::NotStarted | Seen::Canceled => continue,
            };
            let Some(t) = title(&step.name).filter(|t| !is_other(t)) else {
                continue;
            };
            by_place.insert((t.stage, t.number), (step.name.as_str(), cached));
            by_text.entry(t.text).or_default().insert(cached);
        }
        self.builds += 1;
        let mut claimed = BTreeSet::new();
        for step in &predicted.steps {
            let Some(t) = title(&step.name).filter(|t| !is_other(t)) else {
                continue;
            };
            self.steps += 1;
            let place = (t.stage, t.number);
            claimed.insert(place);
            let shown = by_place.get(&place);
            if let Some((printed, _)) = shown
                && *printed != step.name
            {
                self.wrong.push(Difference {
                    build,
                    step: Some(step.id.clone()),
                    name: step.name.clone(),
                    predicted: "this name".to_owned(),
                    seen: format!("named {printed}"),
                });
            }
            let real = match shown {
                Some((_, cached)) => Some(BTreeSet::from([*cached])),
                None => {
                    let found = by_text.get(t.text).cloned();
                    self.merged += usize::from(found.is_some());
                    found
                }
            };
            self.judge(build, step, real.as_ref(), older);
        }
        for (place, (name, cached)) in by_place {
            if !claimed.contains(&place) {
                self.wrong.push(Difference {
                    build,
                    step: None,
                    name: name.to_owned(),
                    predicted: "no such step".to_owned(),
                    seen: word(cached).to_owned(),
                });
            }
        }
    }

    fn judge(
        &mut self,
        build: usize,
        step: &PredictedStep,
        real: Option<&BTreeSet<bool>>,
        older: bool,
    ) {
        let difference = |predicted: &str, seen: &str| Difference {
            build,
            step: Some(step.id.clone()),
            name: step.name.clone(),
            predicted: predicted.to_owned(),
            seen: seen.to_owned(),
        };
        let predicted = match step.verdict {
            Verdict::Executed => "executed",
            Verdict::Cached => "cached",
            Verdict::Maybe => "maybe",
        };
        let Some(real) = real else {
            self.wrong.push(difference(predicted, "not in the build"));
            return;
        };
        let wanted = match step.verdict {
            Verdict::Maybe => {
                self.maybe += 1;
                return;
            }
            Verdict::Cached => true,
            Verdict::Executed => false,
        };
        if real.contains(&wanted) {
            self.agree += 1;
        } else if wanted || !older {
            self.wrong.push(difference(predicted, word(!wanted)));
        } else {
            self.older_records
                .push(difference(predicted, word(!wanted)));
        }
    }
}

/// FROM, and the second vertex of a `COPY --link`.
fn is_other(title: &Title<'_>) -> bool {
    title.text.starts_with("FROM ") || title.text.starts_with("LINK ")
}

fn word(cached: bool) -> &'static str {
    match cached {
        true => "cached",
        false => "executed",
    }
}

//! What stands around a RUN that uses a package manager: the stages it reaches, the RUNs before and behind it, its comments.
//!
//! Goes in: a view and a RUN. Comes out: answers. Linear in the file, once for each rule. Invariant: what is not known counts as a reason to say nothing.

use crate::dockerfile::{Instruction, Kind};
use crate::plan::Base;
use crate::rules::{Run, View};

/// The stages of a file, and what stands on what, worked out once.
pub struct Around<'v, 'a> {
    view: &'v View<'a>,
    /// Numbers of stages in a walk over the tree that they are, at the start and at the end of each.
    enter: Vec<usize>,
    leave: Vec<usize>,
    ships: Vec<bool>,
    /// What each stands on in the end.
    bottom: Vec<usize>,
}

/// Instructions that set something, by stage.
pub type Places = Vec<(usize, usize)>;

impl<'v, 'a> Around<'v, 'a> {
    /// Looks at the stages once.
    pub fn new(view: &'v View<'a>) -> Self {
        let stages = &view.plan.stages;
        let n = stages.len();
        let below = |i: usize| match stages[i].base {
            Base::Stage(below) if below < i => Some(below),
            _ => None,
        };
        let mut upper: Vec<Vec<usize>> = vec![Vec::new(); n];
        let mut bottom: Vec<usize> = Vec::with_capacity(n);
        let mut open = Vec::new();
        for i in 0..n {
            bottom.push(below(i).map_or(i, |b| bottom[b]));
            match below(i) {
                Some(below) => upper[below].push(i),
                None => open.push((i, false)),
            }
        }
        let (mut enter, mut leave, mut time) = (vec![0; n], vec![0; n], 0);
        while let Some((i, done)) = open.pop() {
            time += 1;
            if done {
                leave[i] = time;
                continue;
            }
            enter[i] = time;
            open.push((i, true));
            open.extend(upper[i].iter().map(|u| (*u, false)));
        }
        let mut out = Self {
            view,
            enter,
            leave,
            ships: vec![false; n],
            bottom,
        };
        out.mark_shipped();
        out
    }

    /// The files of a stage are in the image: it is the target, the target starts from it, or takes all of it.
    fn mark_shipped(&mut self) {
        let view = self.view;
        let target = view.plan.target;
        // An image that is built to see whether something holds goes nowhere.
        const CHECKS: &[&str] = &["validate", "lint", "test", "check", "upload", "artifact"];
        let name = view.plan.stages.get(target).and_then(|s| s.name.as_deref());
        if name.is_some_and(|t| CHECKS.iter().any(|c| t.contains(c))) || is_for_tests(view.path) {
            return;
        }
        let n = view.plan.stages.len();
        let image: Vec<usize> = (0..n).filter(|s| self.stands_on(target, *s)).collect();
        for stage in image {
            self.ships[stage] = true;
            // `FROM base-${VARIANT}` may be any stage whose name begins so.
            if let Some(Kind::From { image, .. }) = view
                .tree
                .instructions()
                .get(view.plan.stages[stage].from)
                .map(|i| i.kind())
                && let Some((start, _)) =
                    image.split_once('$').filter(|(start, _)| !start.is_empty())
            {
                for (other, named) in view.plan.stages.iter().enumerate() {
                    let may = named
                        .name
                        .as_deref()
                        .is_some_and(|n| n.starts_with(&start.to_lowercase()));
                    self.ships[other] |= may && other < stage;
                }
            }
            for (at, ins) in view.instructions(stage) {
                if let Some(from) = taken_whole(view, ins, at) {
                    self.ships[from] = true;
                }
            }
        }
    }

    /// One stage is another, or starts from it.
    pub fn stands_on(&self, upper: usize, lower: usize) -> bool {
        let (Some(u), Some(l)) = (self.enter.get(upper), self.enter.get(lower)) else {
            return false;
        };
        let inside = self.leave[upper] <= self.leave[lower];
        l <= u && inside
    }

    /// Its files are in the image.
    pub fn ships(&self, stage: Option<usize>) -> bool {
        stage.is_some_and(|s| self.ships.get(s) == Some(&true))
    }

    /// The image that a stage stands on in the end.
    pub fn image(&self, stage: Option<usize>) -> &'a str {
        let bottom = stage.and_then(|s| self.bottom.get(s));
        let base = bottom.map(|b| &self.view.plan.stages[*b].base);
        match base {
            Some(Base::Image(name)) => name,
            _ => "",
        }
    }

    /// A RUN finds the files of another one.
    pub fn finds(&self, run: &Run<'_>, other: &Run<'_>) -> bool {
        let (Some(upper), Some(lower)) = (run.stage, other.stage) else {
            return false;
        };
        other.instruction < run.instruction && self.stands_on(upper, lower)
    }

    /// The RUNs that find the files of a RUN, in file order, of these.
    pub fn behind<'r, 'b>(
        &'r self,
        run: &'r Run<'_>,
        all: &'r [&'r Run<'b>],
    ) -> impl Iterator<Item = &'r Run<'b>> + 'r {
        let from = all.partition_point(|r| r.instruction <= run.instruction);
        let later = all[from..].iter().copied();
        later.filter(|r| self.finds(r, run))
    }

    /// The instructions that have one of these texts in a script, or in a variable, or bring a file to a place that starts so.
    pub fn places(&self, texts: &[&str], place: &str) -> Places {
        let has = |t: &str| texts.iter().any(|x| t.contains(x));
        let mut out: Places = Vec::new();
        for run in &self.view.runs {
            if let Some(stage) = run.stage.filter(|_| has(&run.text)) {
                out.push((stage, run.instruction));
            }
        }
        for stage in 0..self.view.plan.stages.len() {
            for (at, ins) in self.view.instructions(stage) {
                let sets = match ins.kind() {
                    Kind::Copy(t) | Kind::Add(t) => {
                        !place.is_empty()
                            && (t.dest.starts_with(place)
                                || t.sources.iter().any(|s| s.contains(place)))
                    }
                    Kind::Env(pairs) => pairs.iter().any(|(k, v)| has(&k) || has(&v)),
                    _ => false,
                };
                if sets {
                    out.push((stage, at));
                }
            }
        }
        out
    }

    /// One of the places stands before a RUN, or is itself.
    pub fn is_set(&self, places: &Places, run: &Run<'_>) -> bool {
        let Some(stage) = run.stage else { return false };
        let mut before = places.iter().filter(|(_, at)| *at <= run.instruction);
        before.any(|(s, _)| self.stands_on(stage, *s))
    }

    /// The image of a stage is one of Docker's own set that is made of Debian or Ubuntu.
    pub fn is_official_debian(&self, stage: Option<usize>) -> bool {
        const OTHERS: &[&str] = &[
            "alpine",
            "busybox",
            "fedora",
            "centos",
            "rockylinux",
            "almalinux",
            "amazonlinux",
            "archlinux",
            "oraclelinux",
            "photon",
            "clearlinux",
            "mageia",
            "nanoserver",
            "windows",
        ];
        let image = self.image(stage);
        crate::plan::image_name(image).starts_with("docker.io/library/")
            && !image.is_empty()
            && !image.contains('$')
            && !OTHERS.iter().any(|o| image.contains(o))
    }
}

/// The stage that a COPY takes all files of.
fn taken_whole(view: &View<'_>, ins: Instruction<'_>, at: usize) -> Option<usize> {
    let Kind::Copy(copy) = ins.kind() else {
        return None;
    };
    let mut sources = copy.sources.iter();
    if !sources.any(|s| matches!(s.as_str(), "/" | "/." | "/*")) {
        return None;
    }
    let from = ins.flag("from")?.to_lowercase();
    let stages = &view.plan.stages;
    let named = stages
        .iter()
        .rposition(|s| s.from < at && s.name.as_deref() == Some(&from));
    named.or_else(|| from.parse().ok().filter(|n| *n < stages.len()))
}

/// Whether a comment above the RUN or inside it speaks of one of these.
pub fn says(view: &View<'_>, run: &Run<'_>, words: &[&str]) -> bool {
    let inside = view.source.text(run.ins.span);
    let comments = inside
        .lines()
        .filter_map(|l| l.split_once('#'))
        .map(|l| l.1.to_owned());
    let above = view.source.text(run.ins.leading_comments).into_owned();
    let all: Vec<String> = comments.chain(Some(above)).collect();
    all.iter().any(|c| {
        let c = c.to_lowercase();
        words.iter().any(|w| c.contains(w))
    })
}

/// Whether a variable is set for a RUN, to anything.
pub fn is_variable_set(run: &Run<'_>, name: &str) -> bool {
    let of_step = run
        .step
        .is_some_and(|s| s.written.vars.iter().any(|v| v.name == name));
    of_step || run.text.contains(name)
}

/// Whether a Dockerfile lies where images for tests do: `nnp-test/Dockerfile`, `Dockerfile.test`.
fn is_for_tests(path: &str) -> bool {
    const WORDS: &[&str] = &["test", "tests", "e2e", "fixture", "fixtures", "testdata"];
    let mut words = path.split(['/', '.', '-', '_']);
    words.any(|w| WORDS.contains(&w.to_lowercase().as_str()))
}

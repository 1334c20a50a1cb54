//! What stands around a RUN that uses a package manager: the stages it reaches, the RUNs before and behind it, its comments.
//!
//! Goes in: a view and a RUN. Comes out: answers. Linear in the stages. Invariant: what is not known counts as a reason to say nothing.

use crate::dockerfile::Kind;
use crate::rules::{Run, View};

/// The files of a stage are in the image: it is the target, the target starts from it, or takes all of it.
pub fn ships(view: &View<'_>, stage: Option<usize>) -> bool {
    let Some(stage) = stage else { return false };
    let image = view.image_stages();
    // An image that is built to see whether something holds goes nowhere.
    let target = view
        .plan
        .stages
        .get(view.plan.target)
        .and_then(|s| s.name.as_deref());
    const CHECKS: &[&str] = &["validate", "lint", "test", "check"];
    if target.is_some_and(|t| CHECKS.iter().any(|c| t.contains(c))) {
        return false;
    }
    let copied = |from: usize| {
        view.instructions(from).any(|(at, ins)| {
            let Kind::Copy(copy) = &ins.kind else {
                return false;
            };
            let whole = copy
                .sources
                .iter()
                .any(|s| matches!(s.as_str(), "/" | "/." | "/*"));
            whole
                && ins
                    .flag("from")
                    .is_some_and(|f| is_stage(view, f, stage, at))
        })
    };
    image.contains(&stage) || image.iter().any(|i| copied(*i))
}

fn is_stage(view: &View<'_>, name: &str, stage: usize, at: usize) -> bool {
    let found = view.plan.stages.get(stage);
    found.is_some_and(|s| {
        s.from < at
            && (s.name.as_deref() == Some(&name.to_lowercase()) || name.parse() == Ok(stage))
    })
}

/// The RUNs whose files a RUN finds, and itself, in file order.
pub fn up_to<'v, 'a>(view: &'v View<'a>, run: &Run<'_>) -> Vec<&'v Run<'a>> {
    let chain = run.stage.map_or_else(Vec::new, |s| view.chain(s));
    let own = |r: &&Run<'_>| {
        r.instruction <= run.instruction && r.stage.is_some_and(|s| chain.contains(&s))
    };
    view.runs.iter().filter(own).collect()
}

/// The RUNs that find the files of a RUN, in file order.
pub fn behind<'v, 'a>(view: &'v View<'a>, run: &Run<'_>) -> Vec<&'v Run<'a>> {
    let Some(stage) = run.stage else {
        return Vec::new();
    };
    let above: Vec<usize> = (0..view.plan.stages.len())
        .filter(|s| view.chain(*s).contains(&stage))
        .collect();
    let own = |r: &&Run<'_>| {
        r.instruction > run.instruction && r.stage.is_some_and(|s| above.contains(&s))
    };
    view.runs.iter().filter(own).collect()
}

/// Whether a RUN up to this one, or a file copied before it to a place that starts so, has a text in it.
pub fn is_set_before(view: &View<'_>, run: &Run<'_>, text: &str, place: &str) -> bool {
    if up_to(view, run).iter().any(|r| r.text.contains(text)) {
        return true;
    }
    let chain = run.stage.map_or_else(Vec::new, |s| view.chain(s));
    chain.iter().any(|s| {
        view.instructions(*s)
            .filter(|(at, _)| *at < run.instruction)
            .any(|(_, ins)| match &ins.kind {
                Kind::Copy(t) | Kind::Add(t) => {
                    t.dest.starts_with(place) || t.sources.iter().any(|s| s.contains(place))
                }
                Kind::Env(pairs) => pairs
                    .iter()
                    .any(|(k, v)| k.contains(text) || v.contains(text)),
                _ => false,
            })
    })
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

/// The image of a stage is one of Docker's own set, without `-alpine` and its like.
pub fn is_official_debian(view: &View<'_>, stage: Option<usize>) -> bool {
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
        "scratch",
    ];
    let Some(image) = stage.and_then(|s| view.base_image(s)) else {
        return false;
    };
    let name = crate::plan::image_name(image);
    name.starts_with("docker.io/library/")
        && !image.contains('$')
        && !OTHERS.iter().any(|o| image.contains(o))
}

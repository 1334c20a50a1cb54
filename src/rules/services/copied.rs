//! From a path of the image to the file of the context that a COPY puts there.

use super::start::base;
use crate::dockerfile::{Instruction, Kind};
use crate::project::join;
use crate::rules::View;

/// The file of the context that stands at a path of the image.
pub fn in_context(view: &View<'_>, word: &str) -> Option<String> {
    if word.contains('$') {
        return None;
    }
    let cwd = || -> Option<String> {
        let stages = view.image_stages();
        let mut list = stages.iter().flat_map(|s| {
            let list: Vec<_> = view.instructions(*s).collect();
            list.into_iter().rev()
        });
        let (at, _) = list.find(|(_, i)| matches!(i.kind(), Kind::Workdir(_)))?;
        let dest = view.step(at).and_then(|s| s.dest.as_ref());
        dest.and_then(|d| d.best()).map(str::to_owned)
    };
    let mut wanted: Vec<String> = match word {
        w if w.starts_with('/') => vec![w.to_owned()],
        w if w.contains('/') => {
            let below = crate::project::normalize(w)?;
            vec![format!("{}/{below}", cwd()?.trim_end_matches('/'))]
        }
        w => [
            "/usr/local/bin",
            "/usr/local/sbin",
            "/usr/bin",
            "/usr/sbin",
            "/bin",
            "/sbin",
        ]
        .iter()
        .map(|d| format!("{d}/{w}"))
        .chain(cwd().map(|c| format!("{}/{w}", c.trim_end_matches('/'))))
        .collect(),
    };
    for stage in view.image_stages() {
        let list: Vec<_> = view.instructions(stage).collect();
        for (at, ins) in list.into_iter().rev() {
            if matches!(ins.kind(), Kind::Run(_)) {
                wanted.extend(moved(view, at, &wanted));
            }
            let found = copied(view, at, ins, &wanted);
            if found.is_some() {
                return found;
            }
        }
    }
    None
}

/// Where a RUN takes the file from: `cp docker/entrypoint.sh /usr/local/bin/`.
fn moved(view: &View<'_>, at: usize, wanted: &[String]) -> Option<String> {
    let run = view
        .runs
        .binary_search_by_key(&at, |r| r.instruction)
        .ok()?;
    let cwd = view.plan.states.get(at)?.as_ref()?.cwd.clone()?;
    let absolute = |path: &str| match path.starts_with('/') {
        true => Some(path.trim_end_matches('/').to_owned()),
        false => Some(format!(
            "{}/{}",
            cwd.trim_end_matches('/'),
            crate::project::normalize(path)?
        )),
    };
    view.runs[run].calls.iter().find_map(|c| {
        if !c.always || !matches!(c.program.as_str(), "cp" | "mv") {
            return None;
        }
        let words: Vec<&str> = c.operands().filter_map(|a| a.value.as_deref()).collect();
        let [from, to] = words.as_slice() else {
            return None;
        };
        let (from, to) = (absolute(from)?, absolute(to)?);
        let inside = format!("{to}/{}", base(&from));
        wanted
            .iter()
            .any(|w| *w == to || *w == inside)
            .then_some(from)
    })
}

fn copied(view: &View<'_>, at: usize, ins: Instruction<'_>, wanted: &[String]) -> Option<String> {
    let (Kind::Copy(transfer) | Kind::Add(transfer)) = ins.kind() else {
        return None;
    };
    if ins.flag("from").is_some() || ins.has_flag("parents") {
        return None;
    }
    let dest = view.step(at)?.dest.as_ref()?;
    let path = dest.best()?.trim_end_matches('/');
    for source in &transfer.sources {
        if source.contains(['$', '*', '?', '[']) {
            continue;
        }
        let source = source.trim_start_matches('/');
        let full = join(view.context.dir, source)?;
        if view.project.files.is_file(&full) {
            let name = match dest.is_dir || transfer.sources.len() > 1 {
                true => format!("{path}/{}", base(&full)),
                false => path.to_owned(),
            };
            if wanted.contains(&name) {
                return Some(full);
            }
            continue;
        }
        for want in wanted {
            if let Some(rest) = want.strip_prefix(path).and_then(|r| r.strip_prefix('/'))
                && let Some(inside) = join(&full, rest)
                && view.project.files.is_file(&inside)
            {
                return Some(inside);
            }
        }
    }
    None
}

//! A COPY whose layer does not depend on what stands above it: `COPY --link`.
//!
//! ```text
//! COPY --from=build /app/dist dist        COPY --from=build --link /app/dist dist
//! COPY --from=docs /site site        ->   COPY --from=docs --link /site site
//! ```
//!
//! Precondition: the builder lays such a layer over the others with folders of its own, root's and with mode 0755, so every
//! folder on the way must be known to be like that, or to be missing; and nothing below the destination may be a link. Safety:
//! assumed; review where the base image is not known. It is looked for once lines are in their best order. Source of the
//! rules: cache keys section 7, and docs/rewrites/link.md for what was measured.

use super::cache_mount::knows;
use super::layout::brought_by;
use super::{Bottom, EditNote, Line, Rewrite, Safety, StageView, View};
use crate::dockerfile::Kind;
use crate::footprint::{PathClaim, PathSet, is_below};
use crate::plan::{Base, Input, Step, StepKind};
use crate::source::{Edit, Span};

/// Frontends without the flag.
const TOO_OLD: [&str; 4] = ["1.0", "1.1", "1.2", "1.3"];

/// What distributions have at the root; `/go` is golang's. In other folders a plain image holds nothing.
#[rustfmt::skip]
const SYSTEM: [&str; 22] = [
    "/bin", "/boot", "/dev", "/etc", "/go", "/home", "/lib", "/lib32", "/lib64", "/libx32", "/media", "/mnt",
    "/opt", "/proc", "/root", "/run", "/sbin", "/srv", "/sys", "/tmp", "/usr", "/var",
];

/// Folders of root's with mode 0755 in every distribution, and no links.
const PLAIN: [&str; 4] = ["/usr", "/usr/src", "/opt", "/srv"];

/// Those in which a distribution has nothing of its own.
const OPEN: [&str; 3] = ["/usr/src", "/opt", "/srv"];

/// One rewrite for every COPY that can be linked.
#[must_use]
pub fn find(view: &View<'_>) -> Vec<Rewrite> {
    view.at_every_line(|stage, at| one(view, stage, at))
}

/// What it promises to link a COPY in some order of the lines, for what bounds all plans; `None` where none allows it.
#[must_use]
pub fn may_link(view: &View<'_>, stage: &StageView<'_>, at: usize) -> Option<Safety> {
    // What may come to stand behind it is in nobody's way.
    let before = |j: usize| (view.commute)(stage.stage, j, at).is_none();
    let place = place_of(view, &stage.lines[at])?;
    on_image(stage, &place).filter(|_| stands_on_plain(view, stage, at, &place, &before))
}

/// Where a COPY puts what it brings.
struct Place {
    /// What it writes.
    writes: PathSet,
    /// The folders that it finds or makes, the root left out.
    folders: Vec<String>,
    /// Where a file would come to lie that must not be a folder: it would be copied into that, and is laid over it by a link.
    file: Option<String>,
}

fn one(view: &View<'_>, stage: &StageView<'_>, at: usize) -> Option<Rewrite> {
    let place = place_of(view, &stage.lines[at])?;
    let safety = on_image(stage, &place)?;
    if !stands_on_plain(view, stage, at, &place, &|_| true) {
        return None;
    }
    let instruction = view.file.instructions().at(stage.lines[at].at);
    let folders = match place.folders.as_slice() {
        [] => "the root".to_owned(),
        all => all.join(" and "),
    };
    let mut assumptions =
        vec!["nobody looks at the times of folders, nor at how many names a file has: a linked layer has folders of its own, and the builder keeps further names of its files"
            .to_owned()];
    match stage.bottom {
        Bottom::Empty => {}
        Bottom::Plain => assumptions.push(format!(
            "the base image has none of {folders}, or as folders of root's with mode 0755"
        )),
        Bottom::Unknown(name) => assumptions.push(format!(
            "{name} has none of {folders}, or as folders of root's with mode 0755 and not as links; and nothing in them"
        )),
    }
    let end = instruction.keyword_span().end;
    Some(Rewrite {
        safety,
        edits: vec![Edit {
            span: Span { start: end, end },
            text: b" --link".to_vec(),
        }],
        ignore: Vec::new(),
        caches: Vec::new(),
        note: EditNote {
            rewrite: "link",
            safety,
            line: instruction.line,
            end_line: instruction.end_line,
            why: "linked, its layer does not depend on the lines above it: it is kept when only those ran".to_owned(),
            assumptions,
        },
    })
}

/// Whether all that is below a COPY leaves its folders as such a layer has them; of its own stage only the lines `counted`.
fn stands_on_plain(
    view: &View<'_>,
    stage: &StageView<'_>,
    at: usize,
    place: &Place,
    counted: &dyn Fn(usize) -> bool,
) -> bool {
    let plain = |line: &Line<'_>| line.step.is_none_or(|s| leaves_plain(view, line, s, place));
    let lines = stage.lines[..at].iter().enumerate();
    if !lines.filter(|(j, _)| counted(*j)).all(|(_, l)| plain(l)) {
        return false;
    }
    let mut own = stage.stage;
    while let Base::Stage(below) = view.plan.stages[own].base {
        let Some(stage) = view.stages.iter().find(|s| s.stage == below) else {
            return false;
        };
        if !stage.lines.iter().all(plain) {
            return false;
        }
        own = below;
    }
    // What the triggers of a base image leave is not looked into.
    let triggered = |n: &petgraph::graph::NodeIndex| view.plan.graph[*n].id.trigger > 0;
    !view.plan.stages[own].steps.iter().any(triggered)
}

/// The place of a COPY that may have the flag by itself: without an owner or a mode, which would be those of the folders too.
fn place_of(view: &View<'_>, line: &Line<'_>) -> Option<Place> {
    let builder = view.plan.builder;
    let instruction = view.file.instructions().at(line.at);
    let step = line.step?;
    let plain = instruction.flags().iter().all(|f| f.name() == "from");
    if !matches!(instruction.kind(), Kind::Copy(_))
        || !plain
        || !builder.link
        || !knows(builder, &view.file.directives, &TOO_OLD)
    {
        return None;
    }
    let dest = step.dest.as_ref()?;
    let path = dest.sure()?;
    let writes = line.leaves.as_ref()?.writes.clone();
    let mut folders: Vec<String> = above(path).map(str::to_owned).collect();
    // Of one that is no folder by its name the files tell.
    if path != "/" && (dest.is_dir || !is_one_file(view, step)) {
        folders.push(path.to_owned());
    }
    Some(Place {
        writes,
        folders,
        file: (!dest.is_dir).then(|| path.to_owned()),
    })
}

/// Whether a COPY brings one file of the context under its destination's name.
fn is_one_file(view: &View<'_>, step: &Step) -> bool {
    let [Input::Context(input)] = step.inputs.as_slice() else {
        return false;
    };
    let [source] = input.sources.as_slice() else {
        return false;
    };
    view.files
        .is_file(source.trim_start_matches("./").trim_matches('/'))
}

/// The folders above a path, from the root down.
fn above(path: &str) -> impl Iterator<Item = &str> {
    path.match_indices('/')
        .skip(1)
        .map(|(at, _)| &path[..at])
        .filter(|p| !p.is_empty())
}

/// Whether a distribution may have something at a place.
pub(super) fn is_of_system(path: &str) -> bool {
    let open = OPEN.iter().any(|o| path != *o && is_below(path, o));
    !open && SYSTEM.iter().any(|s| is_below(path, s))
}

/// What it promises as far as the image at the bottom goes; `None` where that has folders of another kind.
fn on_image(stage: &StageView<'_>, place: &Place) -> Option<Safety> {
    let own = is_of_system;
    // A tree over a whole system, or over one of its folders, may meet any link.
    let wide =
        |w: &PathClaim| own(&w.path) || SYSTEM.iter().any(|s| w.covers(&PathClaim::exact(*s)));
    let strange = |f: &String| own(f) && !PLAIN.contains(&f.as_str());
    match stage.bottom {
        Bottom::Empty => Some(Safety::Assumed),
        _ if place.folders.iter().any(strange) || place.writes.claims.iter().any(wide) => None,
        Bottom::Plain => Some(Safety::Assumed),
        Bottom::Unknown(_) => Some(Safety::Review),
    }
}

/// Whether an earlier step leaves the folders of a COPY as such a layer has them, and no link among them or below.
fn leaves_plain(view: &View<'_>, line: &Line<'_>, step: &Step, place: &Place) -> bool {
    let Some(leaves) = &line.leaves else {
        return false;
    };
    let folder = |path: &str| place.folders.iter().any(|f| f == path);
    let odd = |(path, roots): &(&str, bool)| {
        let file = place.file.as_ref().is_some_and(|f| is_below(path, f));
        file || !roots && folder(path)
    };
    let whole: Vec<PathClaim> = place
        .folders
        .iter()
        .map(|f| PathClaim::exact(&**f))
        .collect();
    let whole = PathSet::new(whole).union(&place.writes);
    let linked = |at: &&PathClaim| whole.overlaps(&PathSet::new(vec![(*at).clone()])).is_some();
    if leaves.makes.iter().any(odd) || leaves.links.iter().any(linked) {
        return false;
    }
    let copies = step.kind == StepKind::Copy && !step.parents;
    let dest = step.dest.as_ref().and_then(|d| d.sure());
    let spares = |claim: &PathClaim| {
        let meets = leaves
            .writes
            .overlaps(&PathSet::new(vec![claim.clone()]))
            .is_some();
        // Folders of the context come with their own modes; where no file comes to lie there none does.
        let brings = || brought_by(step, &PathClaim::subtree(&*claim.path), view.files);
        !meets || copies && brings().is_some_and(|b| b.is_empty())
    };
    let file = place.file.iter().map(PathClaim::subtree);
    let folders = place.folders.iter();
    // A COPY leaves the folder that it copies to as it is, and those above.
    let changes =
        |f: &&String| !(copies && dest.is_some_and(|d| d == f.as_str() || !is_below(f, d)));
    let folders = folders.filter(changes).map(PathClaim::exact);
    file.chain(folders).all(|c| spares(&c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_above_a_path() {
        let all: Vec<&str> = above("/a/b/c").collect();
        assert_eq!(all, ["/a", "/a/b"]);
        assert_eq!(above("/a").count(), 0);
        assert_eq!(above("/").count(), 0);
    }
}

//! Whether two steps may change places.
//!
//! Goes in: what both do, and where paths lead in their stage. Comes out: that they keep their order and why, or that
//! they commute, what it rests on and which sets have nothing in common. Quadratic in claims. Invariant: what is not
//! known to be apart keeps its order or is an assumption in words.

use super::super::effect::Effect;
use super::super::ground::{BaseImage, Ground, Reach};
use super::{Relation, Scene};
use crate::footprint::{Certainty, Extent, PathClaim, PathSet, SHARED_WRITES};
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::rc::Rc;

impl Scene<'_> {
    pub(super) fn steps(&self, stage: usize, a: (usize, &Effect), b: (usize, &Effect)) -> Relation {
        let (x, y) = (a.1, b.1);
        let mut case = Case {
            certainty: x.certainty().max(y.certainty()),
            assumptions: BTreeSet::new(),
        };
        for e in [x, y] {
            case.assumptions.extend(e.assumptions.iter().cloned());
        }
        let left = &self.left[stage];
        // What the builder copies is laid where it belongs, its own links are not gone through.
        let ground = |at: usize, e: &Effect| Ground {
            base: &self.bases[stage],
            links: left
                .links
                .iter()
                .filter(|(by, _)| !e.beside_links || *by != Some(at))
                .map(|(_, l)| l)
                .collect(),
        };
        let (x_ground, y_ground) = (ground(a.0, x), ground(b.0, y));
        // What an unknown step behind both leaves is not there yet: it stays behind them.
        let unknown = left.unknown_from.is_some_and(|k| k < a.0.max(b.0));
        let (x_led, y_led) = (
            self.led(stage, a.0, x, &x_ground),
            self.led(stage, b.0, y, &y_ground),
        );
        let known = !left.anywhere_below && !unknown && x_led.known && y_led.known;
        let (mut p, mut q) = (Cow::Borrowed(&x_led.places), Cow::Borrowed(&y_led.places));
        for (e, own, other, places) in [(x, &mut p, y, &y_led.all), (y, &mut q, x, &x_led.all)] {
            let named = named_in_shared(e, other, places).unwrap_or_default();
            if !named.is_empty() {
                own.to_mut().leave_shared();
                let named: Vec<_> = named.into_iter().collect();
                let named = named.join(", ");
                case.assume(&format!(
                    "the packages that are installed leave {named} alone"
                ));
            }
        }
        if !y.run {
            // The first would have failed without these, so the second never makes them.
            let there: Vec<PathClaim> = known_to_be_there(x, y).map(PathClaim::exact).collect();
            let kept =
                |c: &PathClaim| !there.contains(c) || p.changes.claims.iter().any(|k| k.covers(c));
            if !there.is_empty() {
                q.to_mut().changes.claims.retain(kept);
            }
        }
        for (w, other) in [
            (&p.writes, &q.changes),
            (&p.changes, &q.writes),
            (&p.changes, &q.reads),
            (&p.reads, &q.changes),
        ] {
            if let Some((one, two)) = w.overlaps(other) {
                let place = match one.path.len() > two.path.len() {
                    true => one,
                    false => two,
                };
                return Relation::keep(format!("both touch {}", place.path));
            }
        }
        if let Some(path) = folders_clash(x, y) {
            return Relation::keep(format!("which of them creates {path} could show"));
        }
        for (e, led, own, other, theirs) in [(x, &x_led, &p, y, &q), (y, &y_led, &q, x, &p)] {
            if let Some(path) = leaves_cwd(e, &led.way, other, &theirs.writes) {
                return Relation::keep(format!("one runs in {path}, which the other changes"));
            }
            let Some((place, _)) = own.programs.overlaps(&theirs.changes) else {
                continue;
            };
            // A package manager may write all of the system.
            if other.certainty() == Certainty::Exact || !other.run {
                return Relation::keep(format!(
                    "one is run with {}, which the other changes",
                    place.path
                ));
            }
            case.assume("installing packages leaves the shell and the basic tools as they are");
        }
        if let Some(id) = x.caches.iter().find(|c| y.caches.contains(c)) {
            return Relation::keep(format!("both use the cache mount {id}"));
        }
        let reach = |places: &Cow<'_, Places>, led: &Led, ground: &Ground<'_>| match places {
            Cow::Borrowed(_) => (led.changes_reach, led.all_reach),
            Cow::Owned(own) => (
                Reached::of(ground, &own.changes),
                Reached::of(ground, &own.all()),
            ),
        };
        let (p_changes, p_all) = reach(&p, &x_led, &x_ground);
        let (q_changes, q_all) = reach(&q, &y_led, &y_ground);
        self.places(
            stage,
            &mut case,
            [
                (p.changes.is_empty(), p_changes, q_all),
                (q.changes.is_empty(), q_changes, p_all),
            ],
            known && x_led.way_known && y_led.way_known,
        );
        let moves = !p.changes.is_empty() || !q.changes.is_empty();
        if let BaseImage::Unknown(name) = &self.bases[stage]
            && moves
            && (x.user_of_base || y.user_of_base)
        {
            case.assume(&format!("{name} runs commands as root"));
        }
        self.watched(stage, &mut case, (a.0, &p.changes), (b.0, &q.changes));
        let because = reason(x, y);
        Relation::Commute {
            certainty: case.certainty,
            assumptions: match case.certainty {
                Certainty::Exact => Vec::new(),
                Certainty::Assumed => case.assumptions.into_iter().collect(),
            },
            because,
        }
    }

    /// Where the paths of a step lead, once for all pairs that it is in.
    fn led(&self, stage: usize, at: usize, e: &Effect, ground: &Ground<'_>) -> Rc<Led> {
        let item = &self.stages[stage][at];
        let find = || {
            let mut known = true;
            let mut follow = |set: &PathSet| {
                let (places, all) = ground.follow(set);
                known &= all;
                places
            };
            // Whoever writes the user database, under whatever name, may write any entry.
            let widened = |mut set: PathSet| {
                let database =
                    |c: &&mut PathClaim| matches!(c.path.as_str(), "/etc/passwd" | "/etc/group");
                if !e.keeps_entries {
                    for claim in set.claims.iter_mut().filter(database) {
                        claim.extent = Extent::Subtree;
                    }
                }
                PathSet::new(set.claims)
            };
            let places = Places {
                changes: widened(follow(&e.changes())),
                writes: widened(follow(&e.writes)),
                reads: follow(&e.reads),
                programs: follow(&e.programs),
            };
            let (climbed, all) = ground.follow(&e.climbs);
            let plain = |c: &PathClaim| ground.reach(c) == Reach::Plain;
            known &= all && climbed == e.climbs && e.climbs.claims.iter().all(plain);
            let (way, way_known) = match e.cwd.as_deref() {
                Some(cwd) => ground.follow(&PathSet::new(vec![PathClaim::exact(cwd)])),
                None => (PathSet::default(), true),
            };
            let all_of_it = places.all();
            Rc::new(Led {
                changes_reach: Reached::of(ground, &places.changes),
                all_reach: Reached::of(ground, &all_of_it),
                all: all_of_it,
                places,
                known,
                way,
                way_known,
            })
        };
        let own = item.effect.as_ref().and_then(|o| o.as_ref().ok());
        match own.is_some_and(|o| std::ptr::eq(o, e)) {
            true => Rc::clone(item.led.get_or_init(find)),
            false => find(),
        }
    }

    /// Whether names that are apart are places that are apart.
    fn places(
        &self,
        stage: usize,
        case: &mut Case,
        sides: [(bool, Reached, Reached); 2],
        known: bool,
    ) {
        // Where nothing is changed on either side, nothing can meet.
        if sides.iter().all(|(nothing, ..)| *nothing) {
            return;
        }
        let base = &self.bases[stage];
        let mut open = !known;
        for (_, changes, other) in sides.iter().filter(|(nothing, ..)| !nothing) {
            open |= changes.anywhere || other.anywhere || (changes.system && other.system);
        }
        if open {
            let of = match base {
                // Those that lines of the file bring may be meant too.
                BaseImage::Unknown(name) if !known => {
                    format!("{name} has the usual folders, and no symbolic link")
                }
                BaseImage::Unknown(name) => {
                    format!("{name} has the usual folders, and no symbolic link of it")
                }
                BaseImage::Empty | BaseImage::Plain { .. } => "no symbolic link".to_owned(),
            };
            case.assume(&format!(
                "{of} makes one place of two that these steps name"
            ));
        }
    }

    /// Whether a later step may see in which of two orders files were made.
    fn watched(&self, stage: usize, case: &mut Case, a: (usize, &PathSet), b: (usize, &PathSet)) {
        if a.1.is_empty() || b.1.is_empty() {
            return;
        }
        let set = &self.observed[stage];
        let sees = set.overlaps(a.1).is_some() && set.overlaps(b.1).is_some();
        let mut items = self.stages[stage].iter().enumerate();
        // A later step that is not understood may look at everything.
        let unknown =
            items.any(|(k, item)| k != a.0 && k != b.0 && item.is_opaque() && k > a.0.min(b.0));
        if sees || unknown {
            case.assume(
                "no later command looks at the times of files or at their order in a folder",
            );
        }
    }
}

/// Where a step's paths lead.
pub(super) struct Led {
    places: Places,
    /// All of them.
    all: PathSet,
    /// No other place is meant, and none is climbed out of through a link.
    known: bool,
    /// How far what it changes, and all of it, may lead.
    changes_reach: Reached,
    all_reach: Reached,
    /// Where its command starts.
    way: PathSet,
    way_known: bool,
}

/// How far the paths of a set may lead.
#[derive(Clone, Copy)]
struct Reached {
    anywhere: bool,
    system: bool,
}

impl Reached {
    fn of(ground: &Ground<'_>, set: &PathSet) -> Self {
        let all: Vec<Reach> = set.claims.iter().map(|c| ground.reach(c)).collect();
        Self {
            anywhere: all.contains(&Reach::Anywhere),
            system: all.contains(&Reach::System),
        }
    }
}

/// The sets of an effect with the places that links lead to.
#[derive(Clone)]
struct Places {
    changes: PathSet,
    writes: PathSet,
    reads: PathSet,
    programs: PathSet,
}

impl Places {
    /// Without the folders in which packages have folders of their own.
    fn leave_shared(&mut self) {
        let shared =
            |c: &PathClaim| c.extent == Extent::Subtree && SHARED_WRITES.contains(&c.path.as_str());
        for set in [&mut self.changes, &mut self.writes, &mut self.reads] {
            set.claims.retain(|c| !shared(c));
        }
    }

    fn all(&self) -> PathSet {
        self.changes.union(&self.reads).union(&self.programs)
    }
}

/// What a pair rests on while it is looked at.
struct Case {
    certainty: Certainty,
    assumptions: BTreeSet<String>,
}

impl Case {
    fn assume(&mut self, sentence: &str) {
        self.certainty = Certainty::Assumed;
        self.assumptions.insert(sentence.to_owned());
    }
}

/// What `other` names in folders that packages share, where a step installs packages and nothing else of it goes
/// there; `None` where the two may well mean one place.
fn named_in_shared(e: &Effect, other: &Effect, places: &PathSet) -> Option<BTreeSet<String>> {
    let own = e.beside_packages.as_ref()?;
    if other.beside_packages.is_some() {
        return None;
    }
    let mut out = BTreeSet::new();
    for claim in &places.claims {
        for top in SHARED_WRITES {
            let Some(rest) = claim.path.strip_prefix(top) else {
                // Everything, or nothing of it.
                let all = PathClaim::exact(top);
                match claim.covers(&all) {
                    true => return None,
                    false => continue,
                }
            };
            let name = match rest.strip_prefix('/') {
                Some(below) => below.split('/').next().unwrap_or_default(),
                None if !rest.is_empty() => continue,
                None if claim.extent == Extent::Exact => continue,
                None => return None,
            };
            let there = PathSet::new(vec![claim.clone()]);
            if name.is_empty() || name.starts_with('.') || own.overlaps(&there).is_some() {
                return None;
            }
            out.insert(format!("{top}/{name}"));
        }
    }
    Some(out)
}

/// Folders that the second of two steps would make, if the first did not need something in them to be there.
fn known_to_be_there<'e>(first: &'e Effect, second: &'e Effect) -> impl Iterator<Item = &'e str> {
    let makes = second.makes.iter().filter(|m| !m.always);
    makes.map(|m| m.path.as_str()).filter(|path| {
        let below = |r: &String| r.strip_prefix(*path).is_some_and(|r| r.starts_with('/'));
        first.requires.iter().any(below)
    })
}

/// A folder whose owner or mode depends on which of two steps comes first.
fn folders_clash(x: &Effect, y: &Effect) -> Option<String> {
    for m in &x.makes {
        for o in y.makes.iter().filter(|o| o.path == m.path) {
            // What is laid over in any case wins in both orders, save for who has to write into it.
            let enters = |e: &Effect| e.run && !e.as_root;
            let decided = m.always != o.always && !enters(x) && !enters(y);
            if m.owner != o.owner && !decided {
                return Some(m.path.clone());
            }
        }
    }
    None
}

/// The working directory of `x`, or a folder above it, where `y` changes that; `way` are the places that
/// lead to it.
fn leaves_cwd(x: &Effect, way: &PathSet, y: &Effect, y_writes: &PathSet) -> Option<String> {
    let places = way.union(&way.ancestors());
    // Folders that are laid over in any case get their owner and mode.
    let laid = y.makes.iter().filter(|m| m.always);
    let laid = PathSet::new(laid.map(|m| PathClaim::exact(&*m.path)).collect());
    if let Some((place, _)) = places.overlaps(&laid) {
        return Some(place.path);
    }
    // Files put there by the builder never take the folder away, and root may enter any.
    if !y.run && x.as_root {
        return None;
    }
    places.overlaps(y_writes).map(|(place, _)| place.path)
}

/// Claims of a set in a line, the first ones.
fn shown(set: &PathSet) -> String {
    const MOST: usize = 4;
    let one = |c: &PathClaim| match c.extent {
        Extent::Exact => c.path.clone(),
        Extent::Subtree => format!("{}/**", c.path.trim_end_matches('/')),
    };
    let first: Vec<String> = set.claims.iter().take(MOST).map(one).collect();
    let more = set.claims.len().saturating_sub(MOST);
    match (first.is_empty(), more) {
        (true, _) => "nothing".to_owned(),
        (_, 0) => first.join(" "),
        (_, n) => format!("{} and {n} more", first.join(" ")),
    }
}

/// Which sets have nothing in common.
fn reason(x: &Effect, y: &Effect) -> String {
    let own = |e: &Effect, other: &Effect| {
        let made = e.makes.iter().map(|m| PathClaim::exact(&*m.path));
        let shared = |c: &PathClaim| other.makes.iter().any(|o| o.path == c.path);
        PathSet::new(made.filter(|c| !shared(c)).collect()).union(&e.writes)
    };
    let side = |e: &Effect, other: &Effect| {
        let reads = match (e.reads.is_empty(), e.run) {
            (false, true) => format!(" and reads {}", shown(&e.reads)),
            _ => String::new(),
        };
        format!("changes {}{reads}", shown(&own(e, other)))
    };
    let both = x
        .makes
        .iter()
        .filter(|m| y.makes.iter().any(|o| o.path == m.path));
    let both = PathSet::new(both.map(|m| PathClaim::exact(&*m.path)).collect());
    let folders = match both.is_empty() {
        true => String::new(),
        false => format!(
            "; whichever comes first makes {}, in the same way",
            shown(&both)
        ),
    };
    format!(
        "the first {}, the second {}: nothing that one changes is touched by the other{folders}",
        side(x, y),
        side(y, x)
    )
}

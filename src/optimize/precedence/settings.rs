//! Lines that only change the image's configuration, or what later lines see of it.
//!
//! Goes in: two of them. Comes out: whether they may change places, and why. Costs a look at their words. Invariant: what
//! one sets and the other expands, sets too or falls back on keeps its order.

use super::{Item, Relation, Scene};
use crate::dockerfile::{Instruction, Kind};
use crate::footprint::Certainty;

/// What a line is about; lines about different things do not see each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Field {
    Variables,
    Labels,
    Ports,
    Volumes,
    User,
    Signal,
    /// CMD too: where an image brings one, ENTRYPOINT takes it away unless it was set before.
    Command,
    Health,
    /// What shell forms of others are put together with.
    Shell,
    Author,
}

fn field(kind: &Kind) -> Option<Field> {
    Some(match kind {
        Kind::Env(_) | Kind::Arg(_) => Field::Variables,
        Kind::Label(_) => Field::Labels,
        Kind::Expose(_) => Field::Ports,
        Kind::Volume(_) => Field::Volumes,
        Kind::User(_) => Field::User,
        Kind::Stopsignal(_) => Field::Signal,
        Kind::Cmd(_) | Kind::Entrypoint(_) => Field::Command,
        Kind::Healthcheck(_) => Field::Health,
        Kind::Shell(_) => Field::Shell,
        Kind::Maintainer(_) => Field::Author,
        _ => return None,
    })
}

impl Scene<'_> {
    /// Two lines of a stage that make no step.
    pub(super) fn settings(&self, a: &Item<'_>, b: &Item<'_>) -> Relation {
        let keep = || Relation::keep("image configuration keeps its order");
        let (x, y) = (field(&a.instruction.kind()), field(&b.instruction.kind()));
        let (Some(x), Some(y)) = (x, y) else {
            return keep();
        };
        if self.plan.builder.chained {
            // Every line is a step there, and a layer of the history.
            return keep();
        }
        if x == Field::Variables && y == Field::Variables {
            return self.two_variables(a, b);
        }
        let shell_form = |f: Field| matches!(f, Field::Command | Field::Health);
        if x == y || x == Field::Shell && shell_form(y) || y == Field::Shell && shell_form(x) {
            return keep();
        }
        let expands = |f: Field| {
            matches!(
                f,
                Field::Labels | Field::Ports | Field::Volumes | Field::User | Field::Signal
            )
        };
        match (x, y) {
            (Field::Variables, other) if expands(other) => self.expands(a, b),
            (other, Field::Variables) if expands(other) => self.expands(b, a),
            _ => Relation::free("they set different fields of the image's configuration"),
        }
    }

    /// Two ENV or ARG lines.
    fn two_variables(&self, a: &Item<'_>, b: &Item<'_>) -> Relation {
        let (x, y) = (names_set(a.instruction), names_set(b.instruction));
        if x.iter().any(|n| y.contains(n)) {
            return Relation::keep("both set one variable");
        }
        for (setter, user) in [(a, b), (b, a)] {
            if let keep @ Relation::Keep(_) = self.expands(setter, user) {
                return keep;
            }
        }
        let because = "they set different variables, and neither is made of the other";
        let env = |i: &Item<'_>| matches!(i.instruction.kind(), Kind::Env(_));
        if !(env(a) && env(b)) {
            return Relation::free(because);
        }
        Relation::Commute {
            certainty: Certainty::Assumed,
            assumptions: vec!["no program looks at the order of its variables".to_owned()],
            because: because.to_owned(),
        }
    }
}

/// The variables an ENV or ARG sets.
pub(in crate::optimize) fn names_set(instruction: Instruction<'_>) -> Vec<&str> {
    match instruction.kind() {
        Kind::Env(list) => list.iter().map(|(n, _)| n.as_str()).collect(),
        Kind::Arg(list) => list.iter().map(|(n, _)| n.as_str()).collect(),
        _ => Vec::new(),
    }
}

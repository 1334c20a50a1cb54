//! Stages: their names and bases, what `--from` leads to, and which of them the target needs.
//!
//! Goes in: the file and the options. Comes out: [`Plan::stages`] without steps, the sources of every
//! instruction, the target. Costs one pass. Source of the rules: grammar section 9; everything here is
//! checked for stages the target does not need as well.

use super::lower::{Lowering, Place, Trigger};
use super::state::Globals;
use super::{Base, Input, Stage, device, image, mount, platform};
use crate::dockerfile::{Declared, Flag, Instruction, Kind, Text, check, expand_word};
use crate::source::Span;
use std::collections::BTreeSet;

/// What `--from` or `from=` leads to. The builder keeps one list of these: all stages, then whatever
/// else is named, and `--from=N` counts in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// A stage of the file.
    Stage(usize),
    /// An image, or a named context of that name.
    Image(String),
    /// Nothing: what a mount without `from` is noted under, too.
    Scratch,
}

/// A named context of the build.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Named {
    /// `docker-image://`: the reference as written.
    Image(String),
    /// Anything else: a folder, another target, a repository.
    Other,
}

impl<'a> Lowering<'a> {
    /// Names, bases and global arguments.
    pub fn stages(&mut self) {
        let file = self.file;
        let last_alias = file
            .instructions()
            .iter()
            .rev()
            .find_map(|i| match i.kind() {
                Kind::From { alias, .. } => Some(alias.as_ref().map(String::from)),
                _ => None,
            });
        let stage_name = self
            .options
            .target
            .clone()
            .or(last_alias.flatten())
            .unwrap_or_else(|| "default".to_owned());
        self.globals = Globals {
            platform: platform::arguments(&self.options.platform, &stage_name),
            ..Globals::default()
        };
        if !self.options.builder.platform_args {
            self.globals.platform.clear();
        }
        for name in self.globals.platform.clone().keys() {
            if let Some(v) = self.arg(name) {
                self.globals.platform.insert(name.clone(), v);
            }
        }
        for (i, ins) in file.instructions().iter().enumerate() {
            match ins.kind() {
                Kind::From { image, alias } => self.from(i, ins, &image, alias.as_ref()),
                Kind::Arg(list) if self.plan.stages.is_empty() => self.global_arg(list),
                _ => {}
            }
        }
        let count = file.instructions().len();
        let starts: Vec<usize> = self.plan.stages.iter().map(|s| s.from).collect();
        for (i, stage) in self.plan.stages.iter_mut().enumerate() {
            stage.end = starts.get(i + 1).copied().unwrap_or(count);
        }
        self.records = (0..starts.len()).map(Record::Stage).collect();
    }

    fn global_arg(&mut self, list: Declared<'_>) {
        for (name, default) in list {
            let value = self.arg(&name).or_else(|| {
                let default = default?;
                self.global(&default, default.span())
            });
            // `ARG name` alone takes nothing away from a platform argument of that name.
            if let Some(v) = value {
                self.globals.args.insert(name.to_string(), v);
            }
        }
    }

    /// Expands against the global scope.
    fn global(&mut self, text: &str, span: Span) -> Option<String> {
        match expand_word(text, self.escape, &|n| self.globals.lookup(n)) {
            Ok(value) => Some(value),
            Err(e) => {
                self.report(
                    "build/expansion",
                    format!("`{text}` cannot be expanded: {e}"),
                    span,
                    "only ARGs before the first FROM can be used here",
                );
                None
            }
        }
    }

    fn from(&mut self, at: usize, ins: Instruction<'_>, written: &Text, alias: Option<&Text>) {
        let span = written.span();
        let name = self.global(written, span);
        let name = name.unwrap_or_else(|| written.to_string());
        if name.is_empty() {
            self.report(
                "build/blank-base",
                format!("base name ({written}) should not be blank"),
                span,
                "give the ARG a default value before the first FROM, or pass --build-arg",
            );
        }
        let platform = ins.flags().iter().find(|f| f.name() == "platform");
        let platform = platform.and_then(|f| Some((f.value()?, f.span())));
        let platform = platform.filter(|(text, _)| !text.is_empty());
        let platform = platform.and_then(|(text, span)| self.platform(text, span));
        // The name table is searched case-sensitively among lower-cased names (grammar section 9).
        let known = self.by_name.get(&name).copied();
        let replaced = alias.and_then(|a| self.named(a));
        let base = match (replaced, known) {
            (Some(_), _) => Base::Context(alias.map(String::from).unwrap_or_default()),
            (None, Some(stage)) => Base::Stage(stage),
            (None, None) if name == "scratch" => Base::Scratch,
            (None, None) if !name.is_empty() && self.named(&name).is_some() => Base::Context(name),
            (None, None) => {
                if !name.is_empty() {
                    self.check_image(&name, span);
                }
                Base::Image(name)
            }
        };
        if let Some(alias) = alias
            && image::context_name(alias).is_none()
        {
            self.report(
                "build/stage-name",
                format!("`{alias}` cannot name a stage: the builder looks it up like an image"),
                alias.span(),
                "end the name with a letter or a digit, with single `.` or `_` between",
            );
        }
        if let Some(alias) = alias {
            let stage = self.plan.stages.len();
            self.by_name.insert(alias.to_string(), stage);
        }
        self.plan.stages.push(Stage {
            replaced: matches!(&base, Base::Context(c) if alias.is_some_and(|a| a == c.as_str())),
            name: alias.map(String::from),
            base,
            platform,
            from: at,
            end: at + 1,
            reachable: false,
            steps: Vec::new(),
            last: None,
            root: None,
            configuration: Vec::new(),
        });
    }

    fn platform(&mut self, text: &str, span: Span) -> Option<String> {
        let value = self.global(text, span)?;
        if value.contains(super::VOLATILE) {
            return Some(value);
        }
        let trouble = if value.is_empty() {
            format!("the platform `{text}` is empty")
        } else {
            match platform::parse(&value) {
                Ok(_) => return Some(value),
                Err(why) => format!("the platform `{text}` cannot be read: {why}"),
            }
        };
        let help = "write os/arch or os/arch/variant, such as linux/arm64";
        self.report("build/bad-platform", trouble, span, help);
        None
    }

    fn check_image(&mut self, name: &str, span: Span) {
        if !name.contains(super::VOLATILE) {
            self.objection("build/bad-image", check::image(name), span);
        }
    }

    /// The named context of this name, if the build has one; `scratch` and `context` cannot be
    /// replaced.
    pub fn named(&self, name: &str) -> Option<Named> {
        if name.eq_ignore_ascii_case("scratch") || name.eq_ignore_ascii_case("context") {
            return None;
        }
        let short = image::context_name(name)?;
        let platform = platform::normal(&self.options.platform);
        let wanted = [format!("{short}::{platform}"), short];
        let found = wanted.iter().find_map(|w| {
            let contexts = self.options.contexts.iter().rev();
            let key = |k: &str| match k.split_once("::") {
                Some((n, p)) => format!("{}::{p}", image::context_name(n).unwrap_or_default()),
                None => image::context_name(k).unwrap_or_default(),
            };
            contexts.clone().find(|(k, _)| key(k) == *w)
        });
        found.map(|(_, value)| match value.strip_prefix("docker-image:") {
            Some(image) => Named::Image(image.trim_start_matches("//").to_owned()),
            None => Named::Other,
        })
    }

    pub fn target(&mut self) {
        let stages = &self.plan.stages;
        self.plan.target = stages.len() - 1;
        let Some(wanted) = &self.options.target else {
            return;
        };
        match self.stage_named(wanted) {
            Some(i) => self.plan.target = i,
            None => {
                let names: Vec<&str> = stages.iter().filter_map(|s| s.name.as_deref()).collect();
                let help = match crate::dockerfile::nearest(wanted, names.iter().copied()) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None if names.is_empty() => "name a stage with `FROM image AS name`".to_owned(),
                    None => format!("the named stages are {}", names.join(", ")),
                };
                let span = self.file.instructions().at(stages[0].from).keyword_span();
                let message = format!("target stage \"{wanted}\" could not be found");
                self.report("build/unknown-target", message, span, help);
            }
        }
    }

    /// Any case; the last stage of a name. No index.
    fn stage_named(&self, name: &str) -> Option<usize> {
        self.by_name.get(&name.to_lowercase()).copied()
    }

    /// What every instruction of every stage copies or mounts from.
    pub fn sources(&mut self) {
        let file = self.file;
        self.sources = vec![Vec::new(); file.instructions().len()];
        for stage in 0..self.plan.stages.len() {
            for at in self.plan.stages[stage].from + 1..self.plan.stages[stage].end {
                self.sources[at] = self.resolve(file.instructions().at(at));
            }
        }
        self.circles();
    }

    /// One entry for a `COPY --from`, one for every mount of a RUN.
    pub fn resolve(&mut self, ins: Instruction<'_>) -> Vec<Option<Record>> {
        let flags = ins.flags().iter();
        match ins.kind() {
            Kind::Copy(_) => {
                // The last one wins where the builder would have refused the file already.
                let from = flags.rev().find(|f| f.name() == "from");
                let name = from.and_then(|f| Some((f.value()?, f.span())));
                let name = name.filter(|(n, _)| !n.is_empty());
                name.map(|(n, span)| self.copy_source(n, span))
                    .into_iter()
                    .collect()
            }
            Kind::Run(_) => {
                self.devices(ins);
                flags
                    .filter(|f| f.name() == "mount")
                    .map(|f| match mount::from(f.value().unwrap_or("")) {
                        Ok(name) => Some(self.source(&name, f.span())),
                        Err(why) => {
                            let message = format!("`{}` cannot be read: {why}", f.raw);
                            self.report("build/mount", message, f.span(), MOUNT_HELP);
                            None
                        }
                    })
                    .collect()
            }
            _ => Vec::new(),
        }
    }

    fn devices(&mut self, ins: Instruction<'_>) {
        for flag in ins.flags().iter().filter(|f| f.name() == "device") {
            if let Err(why) = device::check(flag.value().unwrap_or_default()) {
                let message = format!("`{}` cannot be read: {why}", flag.raw);
                self.report("build/device", message, flag.span(), device::HELP);
            }
        }
    }

    fn copy_source(&mut self, name: &str, span: Span) -> Option<Record> {
        let Ok(index) = name.parse::<i64>() else {
            return Some(self.source(name, span));
        };
        let found = usize::try_from(index)
            .ok()
            .and_then(|i| self.records.get(i).cloned());
        if found.is_none() {
            let message = format!("invalid stage index {index}");
            let help = format!(
                "stages are numbered from 0 to {}",
                self.plan.stages.len() - 1
            );
            self.report("build/stage-index", message, span, help);
        }
        found
    }

    /// A stage by name, in any case; else an image, which is noted.
    fn source(&mut self, name: &str, span: Span) -> Record {
        let name = if name.is_empty() { "scratch" } else { name };
        if let Some(stage) = self.stage_named(name) {
            return Record::Stage(stage);
        }
        let record = if name == "scratch" {
            Record::Scratch
        } else {
            self.check_image(name, span);
            Record::Image(name.to_owned())
        };
        self.records.push(record.clone());
        record
    }

    /// Stages that copy from each other. The builder looks at copies and mounts alone, FROM does not
    /// count.
    fn circles(&mut self) {
        let mut done = vec![false; self.plan.stages.len()];
        let mut on_path = done.clone();
        for start in 0..done.len() {
            if let Some(at) = self.circle(start, &mut done, &mut on_path) {
                let name = match &self.plan.stages[start].name {
                    Some(name) => name.clone(),
                    None => format!("stage-{start}"),
                };
                let ins = self.file.instructions().at(at);
                let flag = ins
                    .flags()
                    .iter()
                    .find(|f| matches!(f.name(), "from" | "mount"));
                self.report(
                    "build/circular-stage",
                    format!("circular dependency detected on stage: {name}"),
                    flag.map_or(ins.keyword_span(), Flag::span),
                    "a stage can copy only from stages above it",
                );
                self.circular = true;
                return;
            }
        }
    }

    /// The instruction that closes a circle reached from this stage.
    fn circle(&self, start: usize, done: &mut [bool], on_path: &mut [bool]) -> Option<usize> {
        if std::mem::replace(&mut done[start], true) {
            return None;
        }
        on_path[start] = true;
        // An explicit stack: a file may have tens of thousands of stages.
        let mut stack = vec![(start, self.dependencies(start).into_iter())];
        while let Some((stage, rest)) = stack.last_mut() {
            match rest.next() {
                None => {
                    on_path[*stage] = false;
                    stack.pop();
                }
                Some((at, needed)) => {
                    if on_path[needed] {
                        return Some(at);
                    }
                    if !std::mem::replace(&mut done[needed], true) {
                        on_path[needed] = true;
                        stack.push((needed, self.dependencies(needed).into_iter()));
                    }
                }
            }
        }
        None
    }

    /// `(instruction, stage)` of every copy and mount of a stage.
    fn dependencies(&self, stage: usize) -> Vec<(usize, usize)> {
        let stage = &self.plan.stages[stage];
        let all = (stage.from + 1..stage.end).flat_map(|at| {
            self.sources[at].iter().filter_map(move |r| match r {
                Some(Record::Stage(s)) => Some((at, *s)),
                _ => None,
            })
        });
        all.collect()
    }

    /// Marks what the target needs: bases, copies, mounts, and what ONBUILD triggers of a base stage
    /// add (grammar section 9.2).
    ///
    /// The builder looks for these in passes, since triggers may need further stages, and gives every
    /// FROM of an image a number in every pass until the stage is needed: one that only a trigger
    /// needs is titled `[c 2/2] FROM`, and its first step `[c 3/2]` (seen on BuildKit 0.25).
    pub fn reach(&mut self) {
        // Titles leave the stage's name out where this list has one entry; triggers come later.
        self.single = self.records.len() == 1;
        let count = self.plan.stages.len();
        let mut needs: Vec<BTreeSet<usize>> = (0..count)
            .map(|stage| match &self.plan.stages[stage] {
                // Nothing of a replaced stage is built, so nothing it names is needed.
                s if s.replaced => BTreeSet::new(),
                s => {
                    let own = self.dependencies(stage).into_iter().map(|(_, s)| s);
                    let base = match s.base {
                        Base::Stage(b) => Some(b),
                        _ => None,
                    };
                    own.chain(base).collect()
                }
            })
            .collect();
        self.passes = vec![1; count];
        let mut todo = vec![self.plan.target];
        if self.options.builder.all_stages {
            todo = (0..=self.plan.target).collect();
        }
        let mut pass = 1;
        while !todo.is_empty() {
            let mut found = Vec::new();
            while let Some(index) = todo.pop() {
                let stage = &mut self.plan.stages[index];
                if !std::mem::replace(&mut stage.reachable, true) {
                    self.passes[index] = pass;
                    found.push(index);
                    todo.extend(needs[index].iter().copied());
                }
            }
            pass += 1;
            found.sort_unstable();
            for index in found {
                let Base::Stage(base) = self.plan.stages[index].base else {
                    continue;
                };
                let triggers: Vec<_> = self.triggers_of(base).collect();
                let mut resolved = Vec::with_capacity(triggers.len());
                for (at, trigger) in triggers {
                    let sources = self.resolve(trigger);
                    for record in &sources {
                        if let Some(Record::Stage(s)) = record {
                            needs[index].insert(*s);
                            todo.push(*s);
                        }
                    }
                    resolved.push(Trigger { at, sources });
                }
                self.triggers.insert(index, resolved);
            }
        }
    }

    /// ONBUILD triggers of a stage: the instruction's index, and the trigger.
    pub fn triggers_of(&self, stage: usize) -> impl Iterator<Item = (usize, Instruction<'a>)> {
        let stage = &self.plan.stages[stage];
        let list = if stage.replaced {
            stage.from..stage.from
        } else {
            stage.from + 1..stage.end
        };
        list.filter_map(|at| match self.file.instructions().at(at).kind() {
            Kind::Onbuild(trigger) => Some((at, trigger)),
            _ => None,
        })
    }

    /// The stage a source leads to, if it is lowered already; says so where it is not.
    pub fn earlier(
        &mut self,
        source: usize,
        place: &Place,
        what: &str,
        span: Span,
    ) -> Option<usize> {
        if source < place.stage || self.plan.stages[source].replaced {
            return Some(source);
        }
        if !self.circular {
            let name = match &self.plan.stages[source].name {
                Some(name) => name.clone(),
                None => source.to_string(),
            };
            self.report(
                "build/stage-order",
                format!(
                    "cannot {what} from stage \"{name}\", it needs to be defined before current stage"
                ),
                span,
                "move that stage above this one",
            );
        }
        None
    }

    /// Steps in file order, which is the order of conversion. A stage that is named and whose files
    /// nothing takes is converted but not built: `COPY --from=x <<EOF /f` has no need of `x`.
    pub fn order(&mut self) {
        let plan = &mut self.plan;
        for stage in &mut plan.stages {
            stage.reachable = false;
        }
        let mut todo = vec![plan.target];
        if self.options.builder.all_stages {
            todo = (0..=plan.target).collect();
        }
        while let Some(index) = todo.pop() {
            if std::mem::replace(&mut plan.stages[index].reachable, true) {
                continue;
            }
            let stage = &plan.stages[index];
            if let Base::Stage(base) = stage.base {
                todo.push(base);
            }
            for input in stage.steps.iter().flat_map(|n| &plan.graph[*n].inputs) {
                if let Input::Stage { stage, .. } = input {
                    todo.push(*stage);
                }
            }
        }
        for stage in plan.stages.iter().filter(|s| s.reachable) {
            plan.order.extend(stage.steps.iter().copied());
        }
    }
}

/// Help for every mistake in a mount.
pub const MOUNT_HELP: &str =
    "write --mount=type=bind|cache|tmpfs|secret|ssh,target=PATH and the options of that type";

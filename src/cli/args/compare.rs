//! Flags of `compare`, the one command that takes several cache policies.

use super::{BuilderArg, CompareFormat, HistoryFlags};
use crate::simulate::Policy;
use clap::error::Error;
use clap::{ArgAction, ArgMatches, Args, Command, FromArgMatches};
use std::path::PathBuf;

/// `compare`.
#[derive(Clone, Debug, Args)]
pub struct CompareArgs {
    /// Dockerfiles, or `REV:path`. One is enough with several cache policies.
    #[arg(required = true, num_args = 1.., value_name = "VARIANT")]
    pub variants: Vec<String>,
    /// The repository.
    #[arg(long, value_name = "PATH", default_value = ".")]
    pub repo: PathBuf,
    /// Build context, relative to the repository path.
    #[arg(long, value_name = "DIR")]
    pub context: Option<String>,
    /// Stage to build.
    #[arg(long, value_name = "STAGE")]
    pub target: Option<String>,
    /// Build argument; repeatable.
    #[arg(long = "build-arg", value_name = "K=V")]
    pub build_args: Vec<String>,
    /// Which commits, which caches, which costs.
    #[command(flatten)]
    pub history: ComparedHistory,
    /// Build the last N commits of every variant with a real builder, from an empty cache each, and put what was measured
    /// beside what was modelled. The oldest one only fills the cache.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(2..=1000))]
    pub measure: Option<u32>,
    /// Which builder to start for --measure.
    #[arg(long, value_enum, default_value_t = BuilderArg::Docker, requires = "measure")]
    pub builder: BuilderArg,
    /// Seconds that one build of --measure may take.
    #[arg(long, value_name = "SECONDS", default_value_t = 1800, requires = "measure", value_parser = clap::value_parser!(u64).range(1..))]
    pub timeout: u64,
    /// What to print.
    #[arg(long, value_enum, default_value_t = CompareFormat::Text)]
    pub format: CompareFormat,
    /// Write to FILE instead of stdout.
    #[arg(short = 'o', long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Flags for the builder, such as --network=none, behind `--`.
    #[arg(last = true, value_name = "BUILDER FLAG", requires = "measure")]
    pub builder_flags: Vec<String>,
}

/// [`HistoryFlags`] with any number of cache policies.
#[derive(Clone, Debug)]
pub struct ComparedHistory {
    /// Those that hold for all variants.
    pub flags: HistoryFlags,
    /// The policies, each once, in the order given; never empty.
    pub policies: Vec<Policy>,
}

impl ComparedHistory {
    /// The flags under one of the policies.
    #[must_use]
    pub fn under(&self, policy: Policy) -> HistoryFlags {
        HistoryFlags {
            cache_policy: policy,
            ..self.flags.clone()
        }
    }
}

/// The argument's name in clap: that of the field.
const POLICY: &str = "cache_policy";

fn several(command: Command) -> Command {
    command.mut_arg(POLICY, |arg| {
        arg.action(ArgAction::Append)
            .value_delimiter(',')
            .help(
                "What survives between builds: local, local:SIZE, previous, registry-max, registry-min, inline, gha, gha:SIZE or none; \
                 repeatable, or a list: every variant is replayed under each",
            )
    })
}

impl Args for ComparedHistory {
    fn augment_args(command: Command) -> Command {
        several(HistoryFlags::augment_args(command))
    }

    fn augment_args_for_update(command: Command) -> Command {
        several(HistoryFlags::augment_args_for_update(command))
    }
}

impl FromArgMatches for ComparedHistory {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        Self::from_arg_matches_mut(&mut matches.clone())
    }

    fn from_arg_matches_mut(matches: &mut ArgMatches) -> Result<Self, Error> {
        let mut policies: Vec<Policy> = Vec::new();
        for policy in matches.get_many::<Policy>(POLICY).into_iter().flatten() {
            if !policies.contains(policy) {
                policies.push(*policy);
            }
        }
        // It takes one away, the first.
        let flags = HistoryFlags::from_arg_matches_mut(matches)?;
        if policies.is_empty() {
            policies.push(flags.cache_policy);
        }
        Ok(Self { flags, policies })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

//! Who runs a step: home directory and numbers.
//!
//! Goes in: a plan and a step. Comes out: a [`Runner`], and the image that the step's stage stands on. Costs nothing.
//! Invariant: numbers are there only where they are sure enough for the owner of a mount.

use crate::plan::{Base, Plan, Step, image_name};
use crate::rewrite::flow::bottom;

/// Who runs a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Runner {
    /// The home directory that the image's list of users has.
    pub home: Result<String, String>,
    /// User and group; `None` for root.
    pub ids: Option<(u32, u32)>,
    /// What it rests on.
    pub assumption: Option<String>,
}

/// Users that official images bring along: image, name, user, group, home directory.
const USERS: &[(&str, &str, u32, u32, &str)] = &[
    ("docker.io/library/node", "node", 1000, 1000, "/home/node"),
    (
        "docker.io/library/gradle",
        "gradle",
        1000,
        1000,
        "/home/gradle",
    ),
    ("docker.io/oven/bun", "bun", 1000, 1000, "/home/bun"),
];

/// Parts of names of images for Windows.
const WINDOWS: [&str; 3] = ["nanoserver", "windowsservercore", "microsoft.com/windows"];

/// Images that run commands as root unless told otherwise.
fn starts_as_root(image: &str) -> bool {
    image.starts_with("docker.io/library/")
        || image.starts_with("mcr.microsoft.com/dotnet/")
        || image.starts_with("docker.io/oven/bun")
}

/// The image that a stage stands on in the end, without tag and digest.
///
/// # Errors
/// It is none that has a name.
pub fn image_of(plan: &Plan, stage: usize) -> Result<String, String> {
    match &plan.stages[bottom(plan, stage)].base {
        Base::Image(name) if WINDOWS.iter().any(|w| name.contains(w)) => {
            Err(format!("{name} has other folders"))
        }
        Base::Image(name) if !name.contains('$') => Ok(image_name(name)),
        Base::Image(_) => Err("the base image is not known".to_owned()),
        Base::Context(name) => Err(format!("{name} stands for another build context")),
        Base::Scratch | Base::Stage(_) => Err("the stage starts from nothing".to_owned()),
    }
}

/// The image that a stage stands on in the end, with its tag and without its digest.
#[must_use]
pub fn reference_of(plan: &Plan, stage: usize) -> Option<String> {
    match &plan.stages[bottom(plan, stage)].base {
        Base::Image(name) => Some(name.split('@').next().unwrap_or(name).to_owned()),
        _ => None,
    }
}

/// Who runs a step.
///
/// # Errors
/// That is not known.
pub fn runner(plan: &Plan, step: &Step, image: &str) -> Result<Runner, String> {
    let state = plan.states.get(step.instruction).and_then(Option::as_ref);
    let state = state.ok_or("what the RUN starts with is not known")?;
    let root = |assumption| Runner {
        home: Ok("/root".to_owned()),
        ids: None,
        assumption,
    };
    match state.user.as_deref() {
        None | Some("") => {
            let said = format!("{image} runs commands as root");
            Ok(root((!starts_as_root(image)).then_some(said)))
        }
        Some("root" | "0" | "0:0" | "root:root" | "root:0" | "0:root") => Ok(root(None)),
        Some(user) => {
            let known = USERS.iter().find(|(i, name, id, group, _)| {
                let spelt = [
                    (*name).to_owned(),
                    format!("{name}:{name}"),
                    format!("{id}"),
                    format!("{id}:{group}"),
                ];
                *i == image && spelt.iter().any(|s| s == user)
            });
            if let Some((_, name, id, group, home)) = known {
                return Ok(Runner {
                    home: Ok((*home).to_owned()),
                    ids: Some((*id, *group)),
                    assumption: Some(format!(
                        "{name} of {image} is {id}:{group}, as in the official image"
                    )),
                });
            }
            let numbers = user.split_once(':');
            let numbers = numbers.and_then(|(u, g)| Some((u.parse().ok()?, g.parse().ok()?)));
            match numbers {
                Some(ids) => Ok(Runner {
                    home: Err(format!("the home directory of {user} is not known")),
                    ids: Some(ids),
                    assumption: None,
                }),
                None => Err(format!("the numbers of user {user} are not known")),
            }
        }
    }
}

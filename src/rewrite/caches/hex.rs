//! mix: the packages that hex fetched. They are unpacked into the project, which needs the folder no more.

use super::{Caller, Kept, downloads, join};

/// `packages` of HEX_HOME.
pub(super) fn mix(call: &Caller<'_>) -> Option<Result<Kept, String>> {
    (call.command() == "deps.get").then(|| {
        call.unset(&["HEX_OFFLINE", "MIX_XDG"])?;
        let home = match call.folder_of(&["HEX_HOME"])? {
            Some(home) => home,
            None => join(&call.home()?, ".hex"),
        };
        Ok(Kept {
            tool: "mix",
            folders: vec![downloads(join(&home, "packages"))],
            assumptions: call.assume_plain("hex"),
            ..Kept::default()
        })
    })
}

//! Composer. Where its cache is without a variable depends on folders of the image, so that is known of its own image alone.

use super::{Caller, Kept, downloads, join};

/// COMPOSER_CACHE_DIR, or `cache` of COMPOSER_HOME.
pub(super) fn composer(call: &Caller<'_>) -> Option<Result<Kept, String>> {
    let fetches = matches!(
        call.command(),
        "install" | "update" | "require" | "create-project" | "i" | "u"
    );
    fetches.then(|| {
        call.unset(&["COMPOSER_DISABLE_NETWORK", "COMPOSER_NO_CACHE"])?;
        call.says_nothing_of("composer.json", &["cache-dir", "cache-files-dir"])?;
        let folder = match call.folder_of(&["COMPOSER_CACHE_DIR"])? {
            Some(folder) => folder,
            None => match call.folder_of(&["COMPOSER_HOME"])? {
                Some(home) => join(&home, "cache"),
                None if call.image == "docker.io/library/composer" => "/tmp/cache".to_owned(),
                None => {
                    return Err(
                        "where composer keeps its cache depends on the image: COMPOSER_CACHE_DIR says it"
                            .to_owned(),
                    );
                }
            },
        };
        Ok(Kept {
            tool: "composer",
            folders: vec![downloads(folder)],
            off: call.off(&["--no-cache"]),
            ..Kept::default()
        })
    })
}

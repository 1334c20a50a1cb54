//! Programs that run what the project or its arguments say: nothing can be told of them, but why not can.

use super::{Call, Described};

/// Programs, and why nothing is known about what they touch.
const REASONS: &[(&[&str], &str)] = &[
    (
        &[
            "make", "gmake", "ninja", "meson", "scons", "bazel", "bazelisk", "just", "task", "rake",
        ],
        "it runs recipes of the project, which may touch anything",
    ),
    (
        &[
            "cmake",
            "ctest",
            "configure",
            "autoreconf",
            "autogen.sh",
            "qmake",
            "automake",
            "autoconf",
        ],
        "it runs build files of the project, which may touch anything",
    ),
    (
        &["service", "invoke-rc.d", "rc-service", "initctl"],
        "it starts or stops a service",
    ),
    (
        &["xargs", "parallel"],
        "it runs a program on arguments that are not known",
    ),
    (
        &["npx", "bunx", "pnpx", "yarnpkg-exec"],
        "it runs a program of a package",
    ),
    (
        &["node", "deno", "ruby", "perl", "php", "lua", "Rscript"],
        "it runs a program that is not known",
    ),
    (
        &["cpio"],
        "an archive may hold paths outside of the directory",
    ),
    (
        &["su", "runuser", "gosu", "su-exec", "doas"],
        "it runs a command as another user",
    ),
    (
        &["chroot", "unshare", "nsenter"],
        "it runs a command in another root",
    ),
];

/// Says why, or describes a look at the version.
pub(super) fn run(call: &mut Call<'_>) -> Option<Described> {
    let (_, reason) = REASONS
        .iter()
        .find(|(names, _)| names.contains(&call.name))?;
    let versions = ["--version", "-version"];
    let asks = matches!(call.arguments, [a] if a.known().is_some_and(|t| versions.contains(&t)));
    // `node -v` and `perl -v` print; `-h` and `-v` of others may not.
    let prints = matches!(
        call.name,
        "node" | "perl" | "php" | "ruby" | "cmake" | "make"
    ) && call.asks();
    Some(if asks || prints {
        Ok(())
    } else {
        Err((*reason).to_string())
    })
}

#[cfg(test)]
mod tests {
    use super::super::lines::{Line, check};

    #[rustfmt::skip]
    const LINES: &[Line] = &[
        ("make -j4 install", "recipes of the project", "", ""),
        ("cmake -B build .", "build files", "", ""),
        ("cmake --build b", "build files", "", ""),
        ("ninja -C b install", "recipes", "", ""),
        ("./configure --prefix=/usr", "it runs ./configure", "", ""),
        ("service nginx start", "service", "", ""),
        ("cat x | xargs rm", "arguments that are not known", "", ""),
        ("npx tsc", "program of a package", "", ""),
        ("node x.js", "program that is not known", "", ""),
        ("cpio -idm < x", "outside", "", ""),
        ("make --version && cmake --version && node -v && npm -v", "", "/usr/bin/**", ""),
        ("su app -c 'touch /x'", "another user", "", ""),
    ];

    #[test]
    fn reasons_are_given() {
        check(LINES);
    }
}

//! The builds of a plan's verification, with a builder that writes what it is told to.

use super::*;
use crate::image::made::{Layer, image};
use std::cell::RefCell;

/// A file `f` of that content, or what goes wrong.
enum Say {
    Holds(&'static str),
    Refuses(&'static str),
    Gone,
    Broken,
}

struct Mock {
    says: RefCell<Vec<Say>>,
    requests: RefCell<Vec<(String, bool)>>,
}

impl Builder for Mock {
    fn version(&self) -> Result<String, BuilderError> {
        Ok("mock".to_owned())
    }

    fn build(&self, _: &Request) -> Result<Outcome, BuilderError> {
        unreachable!("a plan's images are wanted")
    }

    fn image(&self, request: &Request, dest: &Path) -> Result<Made, BuilderError> {
        let file = request.dockerfile.display().to_string();
        self.requests.borrow_mut().push((file, request.no_cache));
        let bytes = match self.says.borrow_mut().remove(0) {
            Say::Refuses(why) => return Ok(Made::Refused(why.to_owned())),
            Say::Gone => {
                return Err(BuilderError::NotStarted {
                    builder: "mock",
                    reason: "gone".to_owned(),
                });
            }
            Say::Broken => b"no tar".to_vec(),
            Say::Holds(text) => image(&[Layer::default().file("f", text)]).into_inner(),
        };
        std::fs::write(dest, bytes).expect("writable");
        Ok(Made::Image)
    }
}

/// The outcome, and the builds: `o` the original, `p` the plan, `n` the original without a cache.
fn verify(says: Vec<Say>) -> (Result<PlanOutcome, PlanError>, String) {
    let mock = Mock {
        says: RefCell::new(says),
        requests: RefCell::default(),
    };
    let request = |file: &str| Request {
        dockerfile: file.into(),
        ..Request::default()
    };
    let folder = tempfile::tempdir().expect("a folder");
    let mut seen = Vec::new();
    let (original, plan) = (request("o"), request("p"));
    let out = verify_plan(&mock, &original, &plan, folder.path(), &mut |w| {
        seen.push(w)
    });
    let requests = mock.requests.borrow();
    assert_eq!(seen.len(), requests.len());
    let letter = |(file, no_cache): &(String, bool)| match no_cache {
        true => "n".to_owned(),
        false => file.clone(),
    };
    let letters = requests.iter().map(letter).collect();
    (out, letters)
}

fn compared(says: Vec<Say>) -> (Comparison, Option<String>, String) {
    match verify(says) {
        (
            Ok(PlanOutcome::Compared {
                comparison,
                builds,
                not_again,
            }),
            letters,
        ) => {
            assert_eq!(builds, letters.len());
            (comparison, not_again, letters)
        }
        (other, _) => panic!("{other:?}"),
    }
}

#[test]
fn equal_images_need_two_builds() {
    let (c, _, builds) = compared(vec![Say::Holds("a"), Say::Holds("a")]);
    assert_eq!(builds, "op");
    assert_eq!((c.paths, c.differences.len(), c.noise.len()), (2, 0, 0));
}

#[test]
fn a_difference_is_put_to_a_second_build_of_the_original() {
    let (c, _, builds) = compared(vec![Say::Holds("a"), Say::Holds("b"), Say::Holds("a")]);
    assert_eq!(builds, "opn");
    assert_eq!((c.differences.len(), c.noise.len()), (1, 0));
    let (c, _, builds) = compared(vec![Say::Holds("a"), Say::Holds("b"), Say::Holds("c")]);
    assert_eq!(builds, "opn");
    assert_eq!((c.differences.len(), c.noise.len()), (0, 1));
    let says = vec![Say::Holds("a"), Say::Holds("b"), Say::Refuses("no net")];
    let (c, not_again, _) = compared(says);
    assert_eq!(c.differences.len(), 1);
    assert_eq!(not_again.as_deref(), Some("no net"));
}

#[test]
fn a_plan_that_does_not_build_is_told_from_a_builder_that_fails() {
    let says = vec![Say::Holds("a"), Say::Refuses("not found"), Say::Holds("a")];
    let (out, _) = verify(says);
    let message = "not found".to_owned();
    assert_eq!(
        out.expect("a verdict"),
        PlanOutcome::Refused { message, builds: 3 }
    );
    let says = vec![
        Say::Holds("a"),
        Say::Refuses("no net"),
        Say::Refuses("no net"),
    ];
    let said = verify(says).0.expect_err("no verdict").to_string();
    assert_eq!(
        said,
        "building the original once more, without a cache failed: no net"
    );
    let said = verify(vec![Say::Refuses("no")])
        .0
        .expect_err("no verdict")
        .to_string();
    assert_eq!(said, "building the original failed: no");
    let said = verify(vec![Say::Holds("a"), Say::Gone])
        .0
        .expect_err("no verdict");
    assert_eq!(
        said.to_string(),
        "building the plan: mock cannot be used: gone"
    );
    let said = verify(vec![Say::Broken])
        .0
        .expect_err("no verdict")
        .to_string();
    assert!(
        said.starts_with("building the original: the image archive, its outer tar: "),
        "{said}"
    );
}

//! A test program that forgot the allocator.

use heaptide_testing::{Error, GrowthTest, measure};

#[test]
fn a_program_without_the_allocator_is_told_which_line_it_lacks() {
    for result in [GrowthTest::new("forgotten").run(|| {}).map(drop), measure(|| {}).map(drop)] {
        match result {
            Err(Error::NotRecorded(why)) => assert!(why.contains("#[global_allocator]"), "{why}"),
            other => panic!("nothing is counted here: {other:?}"),
        }
    }
}

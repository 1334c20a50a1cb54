use std::hash::Hasher;

fn main() {
    let mut hash = fnv::FnvHasher::default();
    hash.write(lib::name().as_bytes());
    println!("{:x}", hash.finish());
}

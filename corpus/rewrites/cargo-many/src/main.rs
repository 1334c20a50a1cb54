fn main() {
    let map: fnv::FnvHashMap<u32, u32> = [(1, c00::two())].into_iter().collect();
    println!("{map:?}");
}

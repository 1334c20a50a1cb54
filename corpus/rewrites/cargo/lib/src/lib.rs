pub fn name() -> String {
    itoa()
}

fn itoa() -> String {
    42.to_string()
}

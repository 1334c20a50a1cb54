package lib

// Name is for the program.
const Name = "lib"

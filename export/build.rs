//! Lets the program find libtorch at run time without LD_LIBRARY_PATH: the folder it was linked
//! against goes into its rpath.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    // torch-sys publishes the folder under its `links` name.
    if let Ok(lib) = std::env::var("DEP_TCH_LIBTORCH_LIB") {
        println!("cargo:rustc-link-arg=-Wl,-rpath,{lib}");
    }
}

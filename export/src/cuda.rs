//! libtorch's part for CUDA, loaded when a config asks for it.

use anyhow::Context;
use libloading::os::unix::{Library, RTLD_GLOBAL, RTLD_NOW};
use oodwatch_export::device::Device;

/// Lies beside libtorch_cpu.so in a libtorch with CUDA.
const LIBRARY: &str = "libtorch_cuda.so";

/// Loads what `device` needs, before libtorch is asked for its devices for the first time. The linker leaves the library out, since
/// no function of it is called by name, and one program serves machines with and without CUDA.
pub(crate) fn load_for(device: Device) -> anyhow::Result<()> {
    match device {
        Device::Cpu => Ok(()),
        Device::Cuda => {
            load().context("device = \"cuda\": a libtorch with CUDA is wanted; docs/TRAINING.md says how to bring one")
        }
    }
}

#[allow(unsafe_code)]
fn load() -> Result<(), libloading::Error> {
    // SAFETY: the library's initialisers register its devices with libtorch_cpu.so, which is loaded already and of the same release,
    // or the symbols would not resolve (RTLD_NOW); no other thread runs yet. It is never unloaded.
    let library = unsafe { Library::open(Some(LIBRARY), RTLD_NOW | RTLD_GLOBAL) }?;
    std::mem::forget(library);
    Ok(())
}

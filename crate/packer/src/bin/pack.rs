//! `pack FROM TO` packs a file.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let [from, to] =
        <[String; 2]>::try_from(std::env::args().skip(1).collect::<Vec<_>>()).map_err(|_| "usage: pack FROM TO")?;
    std::fs::write(to, unrolled_packer::pack::pack(&std::fs::read(from)?))?;
    Ok(())
}

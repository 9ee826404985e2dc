//! Writes the honest contents that fuzzing starts from: `seeds FOLDER` makes a folder for each target.

fn main() -> std::io::Result<()> {
    let folder = std::env::args_os().nth(1).expect("seeds FOLDER");
    for (name, contents) in hecc_fuzz::seeds() {
        let folder = std::path::Path::new(&folder).join(name);
        std::fs::create_dir_all(&folder)?;
        for (i, content) in contents.iter().enumerate() {
            std::fs::write(folder.join(format!("seed-{i}")), content)?;
        }
    }
    Ok(())
}

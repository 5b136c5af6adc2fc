# Stands in for rust-overlay, see ../nix-stub. The toolchain file is read, so a broken path is caught.
{
  inputs.nixpkgs.url = "path:../nix-stub";
  outputs =
    { self, nixpkgs }:
    {
      overlays.default = final: previous: {
        rust-bin.fromRustupToolchainFile =
          file:
          let
            channel = (builtins.fromTOML (builtins.readFile file)).toolchain.channel;
          in
          builtins.derivation {
            name = "rust-${channel}";
            system = "x86_64-linux";
            builder = "/bin/sh";
          };
      };
    };
}

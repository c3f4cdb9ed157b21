from openshelf.cli import main

main()

# A guest of 512 bytes.  It says READY on the first serial port, then sleeps, and on every timer tick (18.2 Hz) looks
# whether the firmware interface wants something:
#   power button pressed         -> says OFF and switches the machine off (so that a graceful shutdown works)
#   PCI device to be unplugged   -> lets it go and says EJECT (machine types pc and q35)
#   memory module to be unplugged-> likewise
# Registers are those of QEMU: power management block at 0x600, PCI hot-plug block at 0xae00 (pc) or 0x0cc0 (q35),
# memory hot-plug block at 0x0a00.
        .code16
        .globl  _start

        .set    COM1,           0x3f8
        .set    PM_STATUS,      0x600
        .set    PM_ENABLE,      0x602
        .set    PM_CONTROL,     0x604
        .set    POWER_BUTTON,   0x0100
        .set    SLEEP_ENABLE,   0x2000
        .set    PCI_BLOCK_PC,   0xae00
        .set    PCI_BLOCK_Q35,  0x0cc0
        .set    PCI_DOWN,       4
        .set    PCI_EJECT,      8
        .set    PCI_SELECT,     16
        .set    PCI_BUSES,      32
        .set    DIMM_SELECT,    0x0a00
        .set    DIMM_FLAGS,     0x0a14
        .set    DIMM_REMOVING,  4
        .set    DIMM_EJECT,     8
        .set    DIMM_SLOTS,     16

_start: ljmp    $0, $begin
begin:  xorw    %ax, %ax
        movw    %ax, %ds
        movw    %ax, %ss
        movw    $0x7000, %sp
        sti
        movw    $POWER_BUTTON, %ax
        movw    $PM_ENABLE, %dx
        outw    %ax, %dx
        movw    $ready, %si
        call    say

sleep:  hlt
        movw    $PM_STATUS, %dx
        inw     %dx, %ax
        testw   $POWER_BUTTON, %ax
        jz      pci

        movw    $POWER_BUTTON, %ax      # acknowledge: writing one clears
        outw    %ax, %dx
        movw    $off, %si
        call    say
        movw    $SLEEP_ENABLE, %ax      # sleep type 0 is soft-off in QEMU
        movw    $PM_CONTROL, %dx
        outw    %ax, %dx
        jmp     sleep

pci:    movw    $PCI_BLOCK_PC, %bx
        leaw    PCI_DOWN(%bx), %dx
        inl     %dx, %eax
        incl    %eax                    # all ones: no such block, so this is a q35
        jnz     buses
        movw    $PCI_BLOCK_Q35, %bx
buses:  xorl    %ecx, %ecx
bus:    movl    %ecx, %eax
        leaw    PCI_SELECT(%bx), %dx
        outl    %eax, %dx
        leaw    PCI_DOWN(%bx), %dx
        inl     %dx, %eax
        testl   %eax, %eax
        jz      nextbus
        leaw    PCI_EJECT(%bx), %dx
        outl    %eax, %dx
        movw    $eject, %si
        call    say
nextbus:
        incw    %cx
        cmpw    $PCI_BUSES, %cx
        jb      bus

        xorl    %ecx, %ecx
dimm:   movl    %ecx, %eax
        movw    $DIMM_SELECT, %dx
        outl    %eax, %dx
        movw    $DIMM_FLAGS, %dx
        inb     %dx, %al
        cmpb    $0xff, %al              # no such block: no memory slots in this guest
        je      sleep
        testb   $DIMM_REMOVING, %al
        jz      nextdimm
        movb    $DIMM_EJECT, %al
        outb    %al, %dx
        movw    $eject, %si
        call    say
nextdimm:
        incw    %cx
        cmpw    $DIMM_SLOTS, %cx
        jb      dimm
        jmp     sleep

say:    lodsb                           # the string at si, up to its zero byte
        testb   %al, %al
        jz      said
        movw    $COM1, %dx
        outb    %al, %dx
        jmp     say
said:   ret

ready:  .asciz  "READY\r\n"
off:    .asciz  "OFF\r\n"
eject:  .asciz  "EJECT\r\n"

        .org    510
        .word   0xaa55
